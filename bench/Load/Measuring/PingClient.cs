using System.Net;
using System.Net.Sockets;

namespace MeshL4.Load.Measuring;

/// <summary>The steps of one client connection: bound to a source address, one PING, one answer.</summary>
internal static class PingClient
{
    private const int SolIp = 0;

    /// <summary>man 7 ip: leaves the choice of the source port to connect, so that ports are shared between destinations.</summary>
    private const int IpBindAddressNoPort = 24;

    /// <summary>A blocking socket bound to a source address but not yet to a port.</summary>
    public static Socket Create(IPAddress source)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = 10000,
            SendTimeout = 10000,
        };
        socket.SetRawSocketOption(SolIp, IpBindAddressNoPort, BitConverter.GetBytes(1));
        socket.Bind(new IPEndPoint(source, 0));
        return socket;
    }

    /// <summary>Sends the PING and reads the whole answer.</summary>
    /// <exception cref="SocketException">The connection failed, or ended before the answer was there.</exception>
    public static void Ask(Socket socket)
    {
        socket.Send(Loopback.Ping);
        Span<byte> answer = stackalloc byte[64];
        var read = 0;
        while (read < Loopback.PongLength)
        {
            var now = socket.Receive(answer[read..]);
            read += now > 0 ? now : throw new SocketException((int)SocketError.ConnectionReset);
        }

        if (!answer[..read].SequenceEqual("+PONG\r\n"u8))
        {
            throw new VoidRunException($"a PING was answered with '{System.Text.Encoding.Latin1.GetString(answer[..read]).Trim()}'");
        }
    }
}

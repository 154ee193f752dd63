using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;

namespace MeshL4.TestKit.Laboratory;

/// <summary>A socket that packets can come out at.</summary>
/// <param name="Socket">Listening for TCP, bound for UDP; takes both families and foreign destinations.</param>
/// <param name="Namespace">Name of the namespace it is in.</param>
/// <param name="Port">The port it is bound to.</param>
/// <param name="Capture">What a packet that comes out here was, when the port is one of the proxy's.</param>
/// <param name="Owner">User and group id of its sockets.</param>
internal sealed record LandingSite(Socket Socket, string Namespace, int Port, Verdict? Capture, uint Owner);

/// <summary>Every socket that a probe may reach, in all namespaces of a laboratory.</summary>
internal sealed class LandingSites : IDisposable
{
    private const int Backlog = 1024;
    private const int SoReuseAddr = 2;

    private readonly List<LandingSite> _sites = [];

    /// <summary>In order; the position is the site's number.</summary>
    public IReadOnlyList<LandingSite> All => _sites;

    /// <summary>Opens a TCP and a UDP socket in the namespace the calling thread is in.</summary>
    public void Open(string ns, int port, Verdict? capture, uint owner)
    {
        FileSystemIds.Set(owner, owner);
        foreach (SocketType type in new[] { SocketType.Stream, SocketType.Dgram })
        {
            var socket = new Socket(AddressFamily.InterNetworkV6, type, type == SocketType.Stream ? ProtocolType.Tcp : ProtocolType.Udp) { DualMode = true };
            _sites.Add(new LandingSite(socket, ns, port, capture, owner));
            ReuseAddress(socket);
            TransparentSocket.Enable((int)socket.Handle, AddressFamily.InterNetworkV6);
            socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            socket.Blocking = false;
            if (type == SocketType.Stream)
            {
                socket.Listen(Backlog);
            }
            else
            {
                DatagramOriginalDestination.Enable((int)socket.Handle, AddressFamily.InterNetworkV6);
            }
        }

        FileSystemIds.Set(0, 0);
    }

    /// <summary>Answers a datagram from the address it was sent to, as a server there would; called in the site's namespace.</summary>
    public static void Answer(IPEndPoint from, IPEndPoint to, uint owner)
    {
        FileSystemIds.Set(owner, owner);
        using var socket = new Socket(from.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        ReuseAddress(socket);
        FileSystemIds.Set(0, 0);
        TransparentSocket.Enable((int)socket.Handle, from.AddressFamily);
        socket.Bind(from);
        socket.SendTo("."u8, to);
    }

    public void Dispose()
    {
        foreach (LandingSite site in _sites)
        {
            site.Socket.Dispose();
        }
    }

    // Not .NET's ReuseAddress: that one shares the port's datagrams out between all sockets of the port.
    private static void ReuseAddress(Socket socket)
    {
        if (!SocketOptions.TrySetInt((int)socket.Handle, SocketOptions.SolSocket, SoReuseAddr, 1))
        {
            throw new InvalidOperationException($"SO_REUSEADDR: {Errno.Message(Errno.Last)}");
        }
    }
}

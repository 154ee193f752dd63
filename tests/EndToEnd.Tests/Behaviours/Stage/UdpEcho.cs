using System.Net;
using System.Net.Sockets;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Sends every datagram back with nothing changed, over both families, and remembers who sent the last one.</summary>
internal sealed class UdpEcho : IDisposable
{
    private readonly Socket _socket;

    public UdpEcho(string ns, int port, string address = "::")
    {
        _socket = NetworkNamespace.In(ns, () =>
        {
            IPAddress on = IPAddress.Parse(address);
            var socket = new Socket(on.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            if (on.Equals(IPAddress.IPv6Any))
            {
                socket.DualMode = true;
            }

            socket.Bind(new IPEndPoint(on, port));
            return socket;
        });
        new Thread(Serve) { IsBackground = true }.Start();
    }

    /// <summary>Source of the last datagram.</summary>
    public IPEndPoint? LastPeer { get; private set; }

    public void Dispose() => _socket.Dispose();

    private void Serve()
    {
        byte[] buffer = new byte[65536];
        try
        {
            while (true)
            {
                EndPoint from = new IPEndPoint(_socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
                int length = _socket.ReceiveFrom(buffer, ref from);
                LastPeer = (IPEndPoint)from;
                _socket.SendTo(buffer.AsSpan(0, length), SocketFlags.None, from);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }
}

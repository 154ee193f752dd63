using System.Net;
using System.Net.Sockets;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Listens, and the kernel accepts for it; nobody ever reads or answers.</summary>
internal sealed class MuteServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public MuteServer()
    {
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(16);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public void Dispose() => _listener.Dispose();
}

using System.Net;
using System.Net.Sockets;

namespace MeshL4.Load.Measuring;

/// <summary>Connections that said PING once, were answered, and stay open.</summary>
internal sealed class IdleClients : IDisposable
{
    private readonly List<Socket> _sockets = [];

    /// <summary>Opens the connections one after the other, each with its PING.</summary>
    public void Open(IPEndPoint target, int count, CancellationToken stop)
    {
        var sources = Loopback.Spread(net: 30, count: 8);
        for (var index = 0; index < count; index++)
        {
            stop.ThrowIfCancellationRequested();
            var socket = PingClient.Create(sources[index % sources.Length]);
            _sockets.Add(socket);
            Attempt(() => socket.Connect(target), index);
            Attempt(() => PingClient.Ask(socket), index);
        }
    }

    /// <summary>Proves that every connection still works.</summary>
    public void PingAll(CancellationToken stop)
    {
        for (var index = 0; index < _sockets.Count; index++)
        {
            stop.ThrowIfCancellationRequested();
            var socket = _sockets[index];
            Attempt(() => PingClient.Ask(socket), index);
        }
    }

    public void Dispose() => _sockets.ForEach(socket => socket.Dispose());

    private static void Attempt(Action step, int index)
    {
        try
        {
            step();
        }
        catch (SocketException e)
        {
            throw new VoidRunException($"connection {index + 1} failed: {e.SocketErrorCode}");
        }
    }
}

using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Upstream;

/// <summary>A connected upstream socket with what it holds: a place in the circuit breaker, the endpoint's count, the loop guard's entry.</summary>
internal sealed class UpstreamConnection(
    LoopSocket socket, ClusterSnapshot cluster, EndpointSnapshot endpoint, IPEndPoint? local, LoopGuard guard)
{
    // Not the snapshot, which may be replaced many times before this is closed.
    private readonly ClusterState _cluster = cluster.State;
    private SocketPipe? _pipe;
    private bool _closed;

    public LoopSocket Socket { get; } = socket;

    public EndpointSnapshot Endpoint { get; } = endpoint;

    public IPEndPoint? Local { get; } = local;

    public SocketPipe Pipe => _pipe ??= new SocketPipe(Socket);

    /// <summary>Closes and gives everything back, once.</summary>
    public void Close(bool reset)
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        if (_pipe is { } pipe)
        {
            pipe.Close(reset);
        }
        else if (reset)
        {
            Socket.Abort();
        }
        else
        {
            Socket.Close();
        }

        if (Local is not null)
        {
            guard.Closed(ProtocolType.Tcp, Local, Endpoint.Address);
        }

        Endpoint.State.Closed();
        _cluster.Release();
        Interlocked.Increment(ref _cluster.Counters.CxDestroy);
    }
}

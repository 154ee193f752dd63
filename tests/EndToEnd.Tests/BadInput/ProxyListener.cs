using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>A proxy with one listener that demands a PROXY header and relays to a peer.</summary>
internal sealed class ProxyListener : IAsyncDisposable
{
    private readonly int _sockets;

    private ProxyListener(ProxyProcess process, int port, int sockets) => (Process, Port, _sockets) = (process, port, sockets);

    public ProxyProcess Process { get; }

    public int Port { get; }

    /// <param name="upstream">Who is relayed to.</param>
    /// <param name="timeout">What a header may take: long, unless it is the time-out that is tried.</param>
    public static async Task<ProxyListener> StartAsync(Peer upstream, string timeout = "60s")
    {
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("peer", upstream.Address);
        int port = bootstrap.Listener(
            "px", Bootstrap.TcpProxy("peer"), $", listener_filters: [{Bootstrap.ProxyProtocol}], listener_filters_timeout: {timeout}");
        ProxyProcess process = await ProxyProcess.StartAsync(bootstrap);
        return new ProxyListener(process, port, await process.SocketsAtRestAsync());
    }

    /// <summary>Nothing is held any more.</summary>
    public Task ReturnsAsync() => Process.ReturnsToAsync(_sockets);

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}

using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>How a chain ends, by the kind of its terminal filter.</summary>
internal sealed class Terminals(UpstreamConnector connector, MetricsRegistry metrics)
{
    private readonly TcpForward _tcp = new(connector);
    private readonly HttpHandoff _http = new(connector);
    private readonly RedisTerminal _redis = new(connector, metrics);

    public ValueTask RunAsync(Downstream downstream) => downstream.Record.Chain!.Terminal switch
    {
        TcpProxySnapshot tcp => _tcp.RunAsync(downstream, tcp),
        RedisProxySnapshot redis => _redis.RunAsync(downstream, redis),
        HttpHandoffTerminalSnapshot http => _http.RunAsync(downstream, http),
        RejectTerminalSnapshot reject => Reject.RunAsync(downstream, reject),
        TerminalSnapshot other => throw new NotSupportedException(other.GetType().Name),
    };
}

using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>
/// <c>tcp.PREFIX.*</c>, <c>http.PREFIX.*</c> and <c>redis.PREFIX.*</c>: what one terminal filter did at the connection level.
/// Bytes are added when a connection ends. Any thread may add.
/// </summary>
internal sealed class TerminalCounters(string scope, string prefix)
{
    private readonly MetricScope _scope = new(scope, TagOf(scope), prefix);
    private long _total;
    private long _noRoute;
    private long _received;
    private long _sent;
    private long _idleTimeout;
    private long _maxDuration;

    public static string ScopeOf(TerminalSnapshot terminal) => terminal switch
    {
        XRpcProxySnapshot proxy => proxy.Codec,
        HttpHandoffTerminalSnapshot => "http",
        _ => "tcp",
    };

    public void Closed(ConnectionRecord record)
    {
        Interlocked.Increment(ref _total);
        Interlocked.Add(ref _received, record.BytesReceived);
        Interlocked.Add(ref _sent, record.BytesSent);
        CountIf(record, ResponseFlags.NR | ResponseFlags.NC, ref _noRoute);
        CountIf(record, ResponseFlags.SI, ref _idleTimeout);
        CountIf(record, ResponseFlags.DT, ref _maxDuration);
    }

    public void Collect(IMetricVisitor visitor)
    {
        if (_scope.Scope is "tcp" or "http") // protocols show their own: a name shown twice voids a Prometheus scrape
        {
            visitor.Counter(_scope, "downstream_cx_total", Volatile.Read(ref _total));
        }

        visitor.Counter(_scope, "downstream_cx_rx_bytes_total", Volatile.Read(ref _received));
        visitor.Counter(_scope, "downstream_cx_tx_bytes_total", Volatile.Read(ref _sent));
        visitor.Counter(_scope, "downstream_cx_no_route", Volatile.Read(ref _noRoute));
        visitor.Counter(_scope, "idle_timeout", Volatile.Read(ref _idleTimeout));
        visitor.Counter(_scope, "max_downstream_connection_duration", Volatile.Read(ref _maxDuration));
    }

    private static void CountIf(ConnectionRecord record, ResponseFlags flags, ref long counter)
    {
        if ((record.Flags & flags) != 0)
        {
            Interlocked.Increment(ref counter);
        }
    }

    private static string TagOf(string scope) => scope switch
    {
        "http" => "envoy_http_conn_manager_prefix",
        _ => $"envoy_{scope}_prefix",
    };
}

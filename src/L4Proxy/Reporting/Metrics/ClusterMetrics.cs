using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary><c>cluster.NAME.*</c> of the clusters in the running snapshot.</summary>
internal sealed class ClusterMetrics(SnapshotStore store) : IMetricSource
{
    public void Collect(IMetricVisitor visitor)
    {
        ProxySnapshot snapshot = store.Current;
        foreach (ClusterSnapshot cluster in snapshot.Clusters.Values)
        {
            MetricScope scope = new("cluster", "envoy_cluster_name", cluster.Name);
            CollectCounters(visitor, scope, cluster.State.Counters);
            CollectGauges(visitor, scope, cluster);
        }

        MetricScope total = new("cluster_manager");
        visitor.Gauge(total, "active_clusters", snapshot.Clusters.Count);
        visitor.Gauge(new MetricScope("listener_manager"), "total_listeners_active", snapshot.Listeners.Length);
        visitor.Gauge(new MetricScope("config"), "version", snapshot.Version);
    }

    private static void CollectCounters(IMetricVisitor visitor, in MetricScope scope, ClusterCounters counters)
    {
        visitor.Counter(scope, "upstream_cx_total", Volatile.Read(ref counters.CxTotal));
        visitor.Counter(scope, "upstream_cx_connect_fail", Volatile.Read(ref counters.CxConnectFail));
        visitor.Counter(scope, "upstream_cx_connect_timeout", Volatile.Read(ref counters.CxConnectTimeout));
        visitor.Counter(scope, "upstream_cx_connect_attempts_exceeded", Volatile.Read(ref counters.CxConnectAttemptsExceeded));
        visitor.Counter(scope, "upstream_cx_overflow", Volatile.Read(ref counters.CxOverflow));
        visitor.Counter(scope, "upstream_rq_pending_overflow", Volatile.Read(ref counters.RqPendingOverflow));
        visitor.Counter(scope, "upstream_push_dropped", Volatile.Read(ref counters.PushDropped));
        visitor.Counter(scope, "upstream_cx_none_healthy", Volatile.Read(ref counters.CxNoneHealthy));
        visitor.Counter(scope, "upstream_cx_tls_unsupported", Volatile.Read(ref counters.CxTlsUnsupported));
        visitor.Counter(scope, "upstream_cx_destroy", Volatile.Read(ref counters.CxDestroy));
        visitor.Counter(scope, "upstream_cx_rx_bytes_total", Volatile.Read(ref counters.CxRxBytesTotal));
        visitor.Counter(scope, "upstream_cx_tx_bytes_total", Volatile.Read(ref counters.CxTxBytesTotal));
    }

    private static void CollectGauges(IMetricVisitor visitor, in MetricScope scope, ClusterSnapshot cluster)
    {
        long active = cluster.State.ActiveConnections;
        long limit = cluster.Limits.MaxConnections;
        visitor.Gauge(scope, "upstream_cx_active", active);
        visitor.Gauge(scope, "membership_total", cluster.Endpoints.Length);
        visitor.Gauge(scope, "membership_healthy", cluster.Endpoints.Count(static endpoint => endpoint.Usable && endpoint.Health != EndpointHealth.Degraded));
        visitor.Gauge(scope, "membership_degraded", cluster.Endpoints.Count(static e => e.Usable && e.Health == EndpointHealth.Degraded));
        visitor.Gauge(scope, "circuit_breakers.default.cx_open", active >= limit ? 1 : 0);
        visitor.Gauge(scope, "circuit_breakers.default.remaining_cx", Math.Max(0, limit - active));
    }
}

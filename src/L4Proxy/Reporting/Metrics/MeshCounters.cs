using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>The labels of Istio's TCP metrics that are known here. All come from the configuration or a fixed set.</summary>
internal readonly record struct MeshLabels(bool AtDestination, string Cluster, ResponseFlags Flags)
{
    public static MeshLabels Of(ConnectionRecord record) =>
        new(record.Listener.Direction == TrafficDirection.Inbound, record.ClusterName ?? "unknown", record.Flags);
}

/// <summary><c>istio_tcp_*</c> of one set of labels, the names Kiali and Grafana boards ask for. Any thread may add.</summary>
internal sealed class MeshCounters(MeshLabels labels)
{
    private readonly MetricScope _scope = new("", Labels: LabelsOf(labels));
    private long _connections;
    private long _sent;
    private long _received;

    public void Closed(ConnectionRecord record)
    {
        Interlocked.Increment(ref _connections);
        Interlocked.Add(ref _sent, record.BytesSent);
        Interlocked.Add(ref _received, record.BytesReceived);
    }

    /// <summary>The flags of a connection are known when it ends, so it is counted as opened then, too: the two never differ.</summary>
    public void Collect(IMetricVisitor visitor)
    {
        long connections = Volatile.Read(ref _connections);
        visitor.Counter(_scope, "istio_tcp_connections_opened_total", connections);
        visitor.Counter(_scope, "istio_tcp_connections_closed_total", connections);
        visitor.Counter(_scope, "istio_tcp_sent_bytes_total", Volatile.Read(ref _sent));
        visitor.Counter(_scope, "istio_tcp_received_bytes_total", Volatile.Read(ref _received));
    }

    private static KeyValuePair<string, string>[] LabelsOf(MeshLabels labels) =>
    [
        new("reporter", labels.AtDestination ? "destination" : "source"),
        new("destination_service", ServiceOf(labels.Cluster)),
        new("destination_cluster_name", labels.Cluster),
        new("request_protocol", "tcp"),
        new("response_flags", ResponseFlagNames.Short(labels.Flags) ?? "-"),
        new("connection_security_policy", "none"),
    ];

    /// <summary>istiod names clusters <c>direction|port|subset|host</c>; any other name stands for itself.</summary>
    private static string ServiceOf(string cluster)
    {
        string[] parts = cluster.Split('|');
        return parts.Length == 4 && parts[3].Length > 0 ? parts[3] : cluster;
    }
}

using System.Collections.Immutable;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Reporting.Metrics;

namespace MeshL4.L4Proxy.Reporting;

/// <summary>
/// Turns finished connections into counters and log lines. One instance serves all loops: counters are atomic adds,
/// and lines are written as <see cref="LogSinks.Write"/> does.
/// </summary>
internal sealed class ConnectionReporter(SnapshotStore store, LogSinks sinks) : IConnectionReporter
{
    /// <summary>The counters fed here; registered with the metrics by whoever composes the process.</summary>
    public ConnectionCounters Counters { get; } = new();

    /// <summary>Called once per accepted connection or UDP session, before its record exists or right after.</summary>
    public void Opened(ListenerSnapshot listener) => Counters.Listener(listener).Opened();

    /// <summary>
    /// Moves an open connection's count to the listener it was handed over to (<c>use_original_dst</c>). Call it when
    /// <see cref="ConnectionRecord.Listener"/> is changed after <see cref="Opened"/>.
    /// </summary>
    public void Moved(ListenerSnapshot from, ListenerSnapshot to)
    {
        Counters.Listener(from).HandedOver();
        Counters.Listener(to).Opened();
    }

    public void Report(ConnectionRecord record)
    {
        Counters.Listener(record.Listener).Closed(record);
        if (record.Chain?.Terminal is { } terminal)
        {
            Counters.Terminal(terminal).Closed(record);
        }

        Counters.Mesh(record).Closed(record);
        CountCluster(record);
        foreach (AccessLogSnapshot log in LogsOf(record))
        {
            sinks.Write(log, record);
        }
    }

    /// <summary>
    /// The chain's logs; the listener's when the connection ended before a chain was chosen, and for terminals whose
    /// configuration has no place for logs (redis_proxy, direct_response) or names none.
    /// </summary>
    private static ImmutableArray<AccessLogSnapshot> LogsOf(ConnectionRecord record)
    {
        ImmutableArray<AccessLogSnapshot> logs = record.Listener.Udp is { } udp ? udp.AccessLogs
            : record.Chain is { Terminal.AccessLogs: { IsDefaultOrEmpty: false } own } ? own
            : record.Listener.AccessLogs;
        return logs.IsDefault ? [] : logs;
    }

    /// <summary>Bytes of a relayed connection. A codec shares upstream connections and counts their bytes itself.</summary>
    private void CountCluster(ConnectionRecord record)
    {
        if (record.ClusterName is not { } name || record.Chain?.Terminal is XRpcProxySnapshot
            || !store.Current.Clusters.TryGetValue(name, out ClusterSnapshot? cluster))
        {
            return;
        }

        ClusterCounters counters = cluster.State.Counters;
        Interlocked.Add(ref counters.CxRxBytesTotal, record.BytesSent);
        Interlocked.Add(ref counters.CxTxBytesTotal, record.BytesReceived);
    }
}

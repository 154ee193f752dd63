using System.Collections.Concurrent;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>The counters of one protocol by stat prefix, each prefix among the process's metrics once. Safe from any thread.</summary>
/// <param name="traits">The protocol.</param>
/// <param name="metrics">Where new prefixes are shown.</param>
internal sealed class XRpcStatTable(CodecTraits traits, MetricsRegistry metrics)
{
    private readonly Lock _adding = new();
    private readonly Dictionary<string, XRpcStats> _stats = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Prefix, int Loop), (XRpcStats Of, XRpcStatShard Shard)> _shards = new();

    /// <summary>The counters of one loop; only that loop may add to them.</summary>
    /// <param name="prefix">As configured.</param>
    /// <param name="loop">Its index.</param>
    /// <param name="latencyInMicros">Unit of latencies; that of who came last holds for the prefix.</param>
    public XRpcStatShard Shard(string prefix, int loop, bool latencyInMicros)
    {
        if (!_shards.TryGetValue((prefix, loop), out (XRpcStats Of, XRpcStatShard Shard) held))
        {
            held = Add(prefix, loop);
        }

        held.Of.LatencyInMicros = latencyInMicros;
        return held.Shard;
    }

    private (XRpcStats Of, XRpcStatShard Shard) Add(string prefix, int loop) => _shards.GetOrAdd((prefix, loop), _ =>
    {
        XRpcStats stats = Of(prefix);
        return (stats, stats.AddShard());
    });

    /// <summary>Under a lock: loops meet a new prefix at once, and what GetOrAdd makes for nothing would be shown all the same.</summary>
    private XRpcStats Of(string prefix)
    {
        lock (_adding)
        {
            if (!_stats.TryGetValue(prefix, out XRpcStats? stats))
            {
                _stats[prefix] = stats = new XRpcStats(traits, prefix);
                metrics.Add(stats);
            }

            return stats;
        }
    }
}

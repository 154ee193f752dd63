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
    private readonly ConcurrentDictionary<(string Prefix, int Loop), XRpcStatShard> _shards = new();

    /// <summary>The counters of one loop; only that loop may add to them.</summary>
    /// <param name="prefix">As configured.</param>
    /// <param name="loop">Its index.</param>
    /// <param name="latencyInMicros">Unit of latencies; that of who comes first holds for the prefix.</param>
    public XRpcStatShard Shard(string prefix, int loop, bool latencyInMicros) => _shards.TryGetValue((prefix, loop), out XRpcStatShard? shard)
        ? shard
        : _shards.GetOrAdd((prefix, loop), _ => Of(prefix, latencyInMicros).AddShard());

    /// <summary>Under a lock: loops meet a new prefix at once, and what GetOrAdd makes for nothing would be shown all the same.</summary>
    private XRpcStats Of(string prefix, bool latencyInMicros)
    {
        lock (_adding)
        {
            if (!_stats.TryGetValue(prefix, out XRpcStats? stats))
            {
                _stats[prefix] = stats = new XRpcStats(traits, prefix, latencyInMicros);
                metrics.Add(stats);
            }

            return stats;
        }
    }
}

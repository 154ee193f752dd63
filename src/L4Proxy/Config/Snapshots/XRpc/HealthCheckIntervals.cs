using System.Collections.Frozen;
using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary>
/// After how long a silent server of a cluster is asked for a sign of life: the smallest interval of all proxies that run and have a route to the
/// cluster, mirrors included. The same on every loop and for every client, whichever proxy it came by: servers are shared, and so is the verdict.
/// </summary>
internal static class HealthCheckIntervals
{
    /// <summary>The intervals of clusters by name; a cluster for which nobody asks is not in it.</summary>
    public static FrozenDictionary<string, TimeSpan> Of(ImmutableArray<ListenerSnapshot> listeners)
    {
        var smallest = new Dictionary<string, TimeSpan>(StringComparer.Ordinal);
        foreach (FilterChainSnapshot chain in listeners.SelectMany(static listener => listener.Chains))
        {
            if (chain.Terminal is not XRpcProxySnapshot { Upstream.HealthCheckInterval: { Ticks: > 0 } interval } proxy)
            {
                continue;
            }

            foreach (string cluster in SnapshotRules.ClustersOf(proxy))
            {
                smallest[cluster] = smallest.TryGetValue(cluster, out TimeSpan other) && other < interval ? other : interval;
            }
        }

        return smallest.ToFrozenDictionary(StringComparer.Ordinal);
    }
}

using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>
/// Inbound connections dialled on to their original destination need a source address of their own (127.0.0.6, ::6): without it the
/// redirect rules take the proxy's own dial for a client's, and the loop guard ends it.
/// </summary>
internal static class InboundBindRule
{
    public static void Check(ProxySnapshot snapshot, IssueCollector issues)
    {
        foreach (ListenerSnapshot listener in snapshot.Listeners.Where(one => one.Direction == TrafficDirection.Inbound))
        {
            foreach ((FilterChainSnapshot chain, string path) in SnapshotRules.Chains(listener))
            {
                foreach (string cluster in SnapshotRules.ClustersOf(chain.Terminal).Where(name => Unbound(snapshot, name)))
                {
                    SnapshotRules.Warn(
                        issues, listener, path, $"cluster '{cluster}' has no upstream_bind_config: captured again, its connections end at the loop guard");
                }
            }
        }
    }

    private static bool Unbound(ProxySnapshot snapshot, string cluster)
        => snapshot.Clusters.TryGetValue(cluster, out ClusterSnapshot? known)
            && known is { Discovery: ClusterDiscovery.OriginalDestination, BindV4: null, BindV6: null };
}

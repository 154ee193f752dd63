using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>An ORIGINAL_DST cluster dials where the client was going; a listener that does not find that out gives it nothing to dial.</summary>
internal static class OriginalDestinationRule
{
    public static void Check(ProxySnapshot snapshot, IssueCollector issues)
    {
        foreach (ListenerSnapshot listener in snapshot.Listeners.Where(one => one.BindToPort && !one.Filters.OriginalDestination && !one.Transparent))
        {
            foreach ((FilterChainSnapshot chain, string path) in SnapshotRules.Chains(listener))
            {
                foreach (string cluster in SnapshotRules.ClustersOf(chain.Terminal).Where(name => Dials(snapshot, name)))
                {
                    SnapshotRules.Warn(
                        issues, listener, path,
                        $"cluster '{cluster}' is ORIGINAL_DST, but the listener has no original_dst filter, use_original_dst or transparent");
                }
            }
        }
    }

    private static bool Dials(ProxySnapshot snapshot, string cluster)
        => snapshot.Clusters.TryGetValue(cluster, out ClusterSnapshot? known) && known.Discovery == ClusterDiscovery.OriginalDestination;
}

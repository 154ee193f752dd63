using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>A reference to a cluster that is not there is legal: it may come later. Until then connections close with NC.</summary>
internal static class UnknownClusterRule
{
    public static void Check(ProxySnapshot snapshot, IssueCollector issues)
    {
        foreach (ListenerSnapshot listener in snapshot.Listeners)
        {
            foreach ((FilterChainSnapshot chain, string path) in SnapshotRules.Chains(listener))
            {
                foreach (string cluster in SnapshotRules.ClustersOf(chain.Terminal).Where(name => !snapshot.Clusters.ContainsKey(name)))
                {
                    SnapshotRules.Warn(issues, listener, path, Message(cluster));
                }
            }

            if (listener.Udp is { } udp && !snapshot.Clusters.ContainsKey(udp.Cluster))
            {
                SnapshotRules.Warn(issues, listener, "listener_filters[0]", Message(udp.Cluster));
            }
        }
    }

    private static string Message(string cluster) => $"cluster '{cluster}' is not known: connections close with NC until it is";
}

using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>A reference to a cluster that is not there is legal: it may come later. Until then connections close with NC, and RPC requests get an error.</summary>
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
                    SnapshotRules.Warn(issues, listener, path, chain.Terminal is XRpcProxySnapshot ? RpcMessage(cluster) : Message(cluster));
                }
            }

            if (listener.Udp is { } udp && !snapshot.Clusters.ContainsKey(udp.Cluster))
            {
                SnapshotRules.Warn(issues, listener, "listener_filters[0]", Message(udp.Cluster));
            }
        }
    }

    private static string Message(string cluster) => $"cluster '{cluster}' is not known: connections close with NC until it is";

    private static string RpcMessage(string cluster) => $"cluster '{cluster}' is not known: requests that go there get an error, and copies of requests are skipped, until it is";
}

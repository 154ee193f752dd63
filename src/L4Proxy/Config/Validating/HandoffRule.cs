using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>HTTP chains need an engine to hand over to; without one the bytes go to the original destination as they are.</summary>
internal static class HandoffRule
{
    public static void Check(ProxySnapshot snapshot, IssueCollector issues)
    {
        if (snapshot.Handoff is { } handoff)
        {
            if (!snapshot.Clusters.ContainsKey(handoff.Cluster))
            {
                issues.Warning("bootstrap_extensions", $"the hand-off's cluster '{handoff.Cluster}' is not known");
            }

            return;
        }

        foreach (ListenerSnapshot listener in snapshot.Listeners)
        {
            foreach ((FilterChainSnapshot chain, string path) in SnapshotRules.Chains(listener))
            {
                if (chain.Terminal is HttpHandoffTerminalSnapshot)
                {
                    SnapshotRules.Warn(issues, listener, path, "http_connection_manager without meshl4.http_handoff: HTTP goes to its original destination");
                }
            }
        }
    }
}

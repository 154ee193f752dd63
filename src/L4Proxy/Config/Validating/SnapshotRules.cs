using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>What is legal but most likely not meant: looked for across all resources, told as warnings.</summary>
internal static class SnapshotRules
{
    public static void Check(ProxySnapshot snapshot, IssueCollector issues)
    {
        UnknownClusterRule.Check(snapshot, issues);
        OriginalDestinationRule.Check(snapshot, issues);
        InboundBindRule.Check(snapshot, issues);
        HandoffRule.Check(snapshot, issues);
    }

    /// <summary>The chains of a listener with the place of each.</summary>
    public static IEnumerable<(FilterChainSnapshot Chain, string Path)> Chains(ListenerSnapshot listener)
    {
        for (int i = 0; i < listener.FilterChains.Length; i++)
        {
            yield return (listener.FilterChains[i], $"filter_chains[{i}]");
        }

        if (listener.DefaultFilterChain is { } last)
        {
            yield return (last, "default_filter_chain");
        }
    }

    /// <summary>The clusters a chain sends to.</summary>
    public static IEnumerable<string> ClustersOf(TerminalSnapshot terminal) => terminal switch
    {
        TcpProxySnapshot tcp => tcp.Clusters.Select(cluster => cluster.Cluster),
        XRpcProxySnapshot proxy => proxy.Routes.Current.Routes.SelectMany(ClustersOf).Distinct(),
        _ => [],
    };

    private static IEnumerable<string> ClustersOf(XRpcRouteSnapshot route) =>
        route.Clusters.Select(cluster => cluster.Cluster)
            .Concat(route.ReadCluster is { } reads ? [reads] : [])
            .Concat(route.Policies.Mirrors.Select(mirror => mirror.Cluster));

    /// <summary>Adds a warning about a listener, at the first of several chains of which the same is to be said.</summary>
    public static void Warn(IssueCollector issues, ListenerSnapshot listener, string path, string message)
        => issues.AddOnce(new ConfigIssue(IssueSeverity.Warning, path, message, null, "Listener/" + listener.Name));
}

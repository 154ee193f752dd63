using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

/// <summary>One interval for each cluster, worked out from all proxies that run.</summary>
public sealed class HealthCheckIntervalsTests
{
    [Fact]
    public void Of_SeveralProxiesToACluster_IsTheSmallestThatIsSet() =>
        IntervalsOf(Proxy(3, "a", "b"), Proxy(0, "a"), Proxy(1, "b"), Proxy(2, "b"), Proxy(0, "c"))
            .ShouldBe(new Dictionary<string, TimeSpan> { ["a"] = TimeSpan.FromSeconds(3), ["b"] = TimeSpan.FromSeconds(1) }, ignoreOrder: true);

    [Fact]
    public void Of_ClustersOfReadsAndMirrors_AreAmongThem()
    {
        XRpcRouteSnapshot route = Route("a") with
        {
            ReadCluster = "reads",
            Policies = new XRpcPoliciesSnapshot { Mirrors = [new XRpcMirrorSnapshot("mirror", Share.Everything, ExcludeReads: false)] },
        };
        IntervalsOf(Proxy(1, route)).Keys.ShouldBe(["a", "reads", "mirror"], ignoreOrder: true);
    }

    [Fact]
    public void Of_NoProxyThatAsks_IsEmpty() => IntervalsOf(Proxy(0, "a")).ShouldBeEmpty();

    /// <summary>Routes change within their chain, which stays the same one.</summary>
    [Fact]
    public async Task RoutesToAnotherCluster_TakeTheIntervalThere()
    {
        using var folder = new ConfigFolder();
        folder.Write("lds.yaml", ListenerTo("a"));
        folder.Start("dynamic_resources: {lds_config: {path_config_source: {path: '$DIR/lds.yaml'}}}\nnode: {id: n, cluster: c}")
            .HealthCheckIntervals.Keys.ShouldBe(["a"]);
        folder.Replace("lds.yaml", ListenerTo("b"));
        await ConfigFolder.Until(() => folder.Store.Current.HealthCheckIntervals.ContainsKey("b"));
        folder.Store.Current.HealthCheckIntervals.Keys.ShouldBe(["b"]);
    }

    private static string ListenerTo(string cluster) =>
        "resources: [{'@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: l, address: {socket_address: {address: 127.0.0.1, port_value: 1}}, "
        + "filter_chains: [{filters: [{name: f, typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: s, codec: redis, "
        + $"upstream: {{health_check_interval: 1s}}, route_config: {{routes: [{{forward: {{cluster: {cluster}}}}}]}}}}}}]}}]}}]";

    private static IReadOnlyDictionary<string, TimeSpan> IntervalsOf(params XRpcProxySnapshot[] proxies) => HealthCheckIntervals.Of(
    [
        .. proxies.Select(static (proxy, i) => new ListenerSnapshot
        {
            Name = $"{i}",
            Address = new IPEndPoint(IPAddress.Loopback, 1 + i),
            FilterChains = i % 2 == 0 ? [Chain(proxy)] : [],
            DefaultFilterChain = i % 2 == 0 ? null : Chain(proxy),
        }),
    ]);

    private static FilterChainSnapshot Chain(TerminalSnapshot terminal) => new() { Terminal = terminal };

    private static XRpcProxySnapshot Proxy(int seconds, params string[] clusters) => Proxy(seconds, [.. clusters.Select(Route)]);

    private static XRpcProxySnapshot Proxy(int seconds, params XRpcRouteSnapshot[] routes) => new()
    {
        Codec = "redis",
        Routes = new XRpcRouteCell(new XRpcRouteTable([.. routes], ignoreCase: false)),
        Upstream = new XRpcUpstreamSnapshot { HealthCheckInterval = TimeSpan.FromSeconds(seconds) },
    };

    private static XRpcRouteSnapshot Route(string cluster) => new()
    {
        Name = cluster, Match = new XRpcMatchSnapshot(), Clusters = [new WeightedClusterSnapshot(cluster, 1)], TotalWeight = 1, Policies = XRpcPoliciesSnapshot.None,
    };
}

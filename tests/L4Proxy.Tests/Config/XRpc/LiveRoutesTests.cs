using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Tests.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using ListenerMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Listener;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.XRpc;

/// <summary>Routes of an RPC chain change without making it another chain.</summary>
public class LiveRoutesTests
{
    [Theory]
    [InlineData("routes: [{forward: {cluster: b}}]", "", true)]
    [InlineData("routes: [{forward: {cluster: a}}]", "policies: {timeout: 1s}", true)]
    [InlineData("routes: [{forward: {cluster: a}}]", "idle_timeout: 1s", false)]
    [InlineData("routes: [{forward: {cluster: a}}]", "limits: {max_pending_requests: 1}", false)]
    public void Without_ChangeOfTheProxy_IsTheSameChainForRoutesAndPoliciesOnly(string routes, string more, bool same) =>
        LiveRoutes.Without(Chain(routes, more)).Equals(LiveRoutes.Without(Chain("routes: [{forward: {cluster: a}}]", ""))).ShouldBe(same);

    [Theory]
    [InlineData("policies: {timeout: 1s}", "r", true)]
    [InlineData("", "other", false)]
    public void Without_ChangeOfTheSourceOfRoutes_IsAnotherChain(string more, string name, bool same)
    {
        LiveRoutes.Without(Discovered(name, more)).Equals(LiveRoutes.Without(Discovered("r", ""))).ShouldBe(same);
        LiveRoutes.Without(Discovered(name, more)).Equals(LiveRoutes.Without(Chain("routes: [{forward: {cluster: a}}]", more))).ShouldBeFalse();
    }

    /// <summary>A codec rule may read it.</summary>
    [Theory]
    [InlineData("cluster: b", true)]
    [InlineData("weighted_clusters: {clusters: [{name: a, weight: 1}, {name: b, weight: 9}]}", true)]
    [InlineData("cluster: a, idle_timeout: 1s", false)]
    [InlineData("cluster: a, max_connect_attempts: 2", false)]
    public void Without_ChangeOfATcpProxy_IsTheSameChainForClustersOnly(string proxy, bool same) =>
        LiveRoutes.Without(Tcp(proxy)).Equals(LiveRoutes.Without(Tcp("cluster: a"))).ShouldBe(same);

    /// <summary>Where all that tells them apart is what may change.</summary>
    [Fact]
    public void Keep_DefaultChain_IsNotTheOneThatHasItsForm()
    {
        ImmutableArray<ListenerSnapshot> running = Decoded(), next = ChainContinuity.Keep(Decoded(), running);
        next[0].FilterChains[0].ShouldBeSameAs(running[0].FilterChains[0]);
        next[0].DefaultFilterChain.ShouldBeSameAs(running[0].DefaultFilterChain);
    }

    [Fact]
    public void Keep_TcpProxyWithOtherClusters_IsAnotherChain()
    {
        ListenerSnapshot running = Relay("a");
        ChainContinuity.Keep([Relay("a")], [running])[0].FilterChains[0].ShouldBeSameAs(running.FilterChains[0]);
        ListenerSnapshot next = Relay("b");
        ChainContinuity.Keep([next], [running])[0].FilterChains[0].ShouldBeSameAs(next.FilterChains[0]);
    }

    [Fact]
    public void Keep_ChainThatAnotherRuleReads_IsAnotherChain()
    {
        object one = new(), other = new();
        ListenerSnapshot running = Listener("a", one), next = Listener("b", other);
        ChainContinuity.Keep([next], [running])[0].FilterChains[0].ShouldBeSameAs(next.FilterChains[0]);
        ChainContinuity.Keep([Listener("b", one)], [running])[0].FilterChains[0].Terminal.ShouldBeSameAs(running.FilterChains[0].Terminal);
    }

    [Fact]
    public void Keep_OfferedRoutes_ServeOnceTheListenerIsAccepted()
    {
        ListenerSnapshot running = Listener("a");
        XRpcRouteCell cell = ((XRpcProxySnapshot)running.FilterChains[0].Terminal).Routes;
        ImmutableArray<ListenerSnapshot> refused = ChainContinuity.Keep([Listener("b")], [running]);
        refused[0].FilterChains[0].ShouldBeSameAs(running.FilterChains[0]);
        ClusterOf(cell).ShouldBe("a");

        ImmutableArray<ListenerSnapshot> accepted = ChainContinuity.Keep([Listener("c")], [running]);
        ChainContinuity.TakeRoutes(accepted);
        ClusterOf(cell).ShouldBe("c");
    }

    /// <summary>Also when the policies of the proxy that asks for them change, and when its chain is another.</summary>
    [Fact]
    public void Discovered_Anew_LeavesARateLimitAsItWas()
    {
        const string Limited = "{name: r, forward: {cluster: a}, policies: {rate_limit: {max_tokens: 1, fill_interval: 3600s}}}";
        XRpcRouteCell cell = Discovering("");
        cell.Discovered(Reading.Yaml<RouteConfig>($"routes: [{Limited}]").Message);
        TryTake(cell).ShouldBeTrue();

        cell.Discovered(Reading.Yaml<RouteConfig>($"routes: [{{match: {{key_prefix: x}}, forward: {{cluster: b}}}}, {Limited}]").Message);
        TryTake(cell).ShouldBeFalse();

        cell.Offer(Discovering("policies: {timeout: 1s}"));
        cell.TakeOffer();
        TryTake(cell).ShouldBeFalse();

        XRpcRouteCell other = Discovering("idle_timeout: 9s");
        other.Replace(cell);
        other.Discovered(Reading.Yaml<RouteConfig>($"routes: [{Limited}]").Message);
        TryTake(other).ShouldBeFalse();
    }

    private static bool TryTake(XRpcRouteCell cell) => cell.Current.CatchAll!.Policies.RateLimit!.TryTake();

    private static XRpcRouteCell Discovering(string more) => XRpcProxyDecoder.Decode(
        XRpcProxy.Parser.ParseFrom(Discovered("r", more).Filters[0].TypedConfig.Value), new DecodeScope(new IssueCollector(), ""))!.Routes;

    private static string ClusterOf(XRpcRouteCell cell) => cell.Current.CatchAll!.Clusters[0].Cluster;

    private static ImmutableArray<ListenerSnapshot> Decoded() => ListenerDecoder.Decode(
        new ListenerMessage
        {
            Address = new() { SocketAddress = new() { Address = "127.0.0.1", PortValue = 1 } }, FilterChains = { Tcp("cluster: a") }, DefaultFilterChain = Tcp("cluster: b"),
        },
        new DecodeScope(new IssueCollector(), ""));

    private static ListenerSnapshot Relay(string cluster) => Of(new TcpProxySnapshot { Clusters = [new WeightedClusterSnapshot(cluster, 1)] });

    private static ListenerSnapshot Listener(string cluster, object? rule = null)
    {
        var route = new XRpcRouteSnapshot
        {
            Name = "r", Match = new XRpcMatchSnapshot(), Clusters = [new WeightedClusterSnapshot(cluster, 1)], TotalWeight = 1, Policies = XRpcPoliciesSnapshot.None,
        };
        var proxy = new XRpcProxySnapshot { Codec = "redis", Routes = new XRpcRouteCell(new XRpcRouteTable([route], false)), Rule = rule };
        return Of(proxy);
    }

    private static ListenerSnapshot Of(TerminalSnapshot terminal) => new()
    {
        Name = "l", Address = new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 1), FilterChains = [new FilterChainSnapshot { Terminal = terminal, Fingerprint = 7 }],
    };

    private static FilterChain Tcp(string proxy) => Reading.Yaml<FilterChain>(
        $"filters: [{{name: t, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, {proxy}}}}}]").Message!;

    private static FilterChain Discovered(string name, string more) => Filter($"route_discovery: {{name: {name}, config_source: {{ads: {{}}}}}}", more);

    private static FilterChain Chain(string routes, string more) => Filter($"route_config: {{ {routes} }}", more);

    private static FilterChain Filter(string routes, string more) => Reading.Yaml<FilterChain>($$"""
        filters:
        - name: x
          typed_config:
            '@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy
            stat_prefix: s
            codec: redis
            {{routes}}
            {{more}}
        """).Message!;
}

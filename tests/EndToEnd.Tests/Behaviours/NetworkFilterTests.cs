using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>The non-terminal network filters on real connections.</summary>
public sealed class NetworkFilterTests : IDisposable
{
    private readonly Backend _backend = new("backend");
    private readonly Backend _other = new("other");
    private readonly int _port = Ports.Free();

    public void Dispose()
    {
        _backend.Dispose();
        _other.Dispose();
    }

    private static string Filter(string type, string fields) =>
        $"{{name: f, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.{type}, {fields}}}}}";

    private static string Rbac(string rules) => Filter("rbac.v3.RBAC", "stat_prefix: tcp., " + rules);

    private static string From(string address, string name = "p") =>
        $"policies: {{{name}: {{permissions: [{{any: true}}], principals: [{{remote_ip: {{address_prefix: {address}, prefix_len: 32}}}}]}}}}";

    private Sidecar Start(string filters, string more = "") => Sidecar.Start(new Boot()
        .Listen("l", _port, Boot.Chain($"{filters}, {Boot.Tcp("c")}"), more)
        .With(Boot.Cluster("c", [_backend.Address]), Boot.Cluster("other.example.com", [_other.Address])));

    [Fact]
    public void Rbac_DenyStandsBeforeAllow_BothAreCounted()
    {
        using Sidecar proxy = Start(Rbac($"rules: {{action: DENY, {From("127.0.0.2", "deny")}}}") + ", " + Rbac($"rules: {{action: ALLOW, {From("127.0.0.1")}}}"));
        Call.Ask(_port, "x").ShouldBe("backend x");
        Wait.Until(() => proxy.Stat("rbac.tcp.allowed") == 2, () => proxy.Get("/stats"));
        proxy.Stat("rbac.tcp.denied").ShouldBe(0);
    }

    [Fact]
    public void Rbac_Denied_IsClosedBeforeTheUpstreamIsDialled()
    {
        using Sidecar proxy = Start(Rbac($"rules: {{action: DENY, {From("127.0.0.1", "no-local")}}}"));
        Call.Ask(_port, "x").ShouldBeNull();
        proxy.Logged("rbac_access_denied_matched_policy[no-local]").ShouldContain("flags=UAEX ");
        proxy.Stat("rbac.tcp.denied").ShouldBe(1);
        _backend.Calls.ShouldBe(0);
    }

    [Fact]
    public void Rbac_ShadowRules_AreCountedAndNotEnforced()
    {
        using Sidecar proxy = Start(Rbac($"shadow_rules_stat_prefix: istio_dry_run_, shadow_rules: {{action: DENY, {From("127.0.0.1")}}}"));
        Call.Ask(_port, "x").ShouldBe("backend x");
        proxy.Stat("rbac.tcp.istio_dry_run_shadow_denied").ShouldBe(1);
        proxy.Stat("rbac.tcp.denied").ShouldBe(0);
    }

    [Fact]
    public void LocalRateLimit_TokensUsedUp_ClosesNewConnectionsOnly()
    {
        using Sidecar proxy = Start(Filter("local_ratelimit.v3.LocalRateLimit", "stat_prefix: s, token_bucket: {max_tokens: 2, tokens_per_fill: 1, fill_interval: 3600s}"));
        using Call first = Call.To(_port);
        first.Ask("x").ShouldBe("backend x");
        Call.Ask(_port, "x").ShouldBe("backend x");
        Call.Ask(_port, "x").ShouldBeNull();
        proxy.Logged("details=local_ratelimit").ShouldContain("flags=RL ");
        proxy.Stat("local_rate_limit.s.rate_limited").ShouldBe(1);
        first.Ask("y").ShouldBe("backend y");
    }

    [Fact]
    public void ConnectionLimit_Delay_HoldsTheRefusedConnection()
    {
        using Sidecar proxy = Start(Filter("connection_limit.v3.ConnectionLimit", "stat_prefix: s, max_connections: 1, delay: 3600s"));
        using Call first = Call.To(_port);
        first.Ask("x").ShouldBe("backend x");
        using Call second = Call.To(_port);
        Wait.Until(() => proxy.Stat("connection_limit.s.limited_connections") == 1, () => proxy.Get("/stats"));
        string active = $"listener.127.0.0.1_{_port}.downstream_cx_active";
        proxy.Stat(active).ShouldBe(2, "it was closed at once");
        first.Ask("y").ShouldBe("backend y");
        first.Dispose();
        Wait.Until(() => proxy.Stat(active) == 1, () => proxy.Get("/stats"));
        Call.Ask(_port, "z").ShouldBe("backend z", "a place that was given back is taken again");
    }

    [Fact]
    public async Task SniCluster_ServerNameIsTheCluster_UnknownNamesAreNoMetricLabel()
    {
        using Peer tls = Peer.Tls("site", "http/1.1");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain($"{Filter("sni_cluster.v3.SniCluster", "")}, {Boot.Tcp("c")}"), $", listener_filters: [{Boot.Inspector("tls_inspector")}]")
            .With(Boot.Cluster("c", [_backend.Address]), Boot.Cluster("site.example.com", [$"127.0.0.1:{tls.Port}"])));
        using (Call call = Call.To(_port))
        {
            await using System.Net.Security.SslStream secured = await call.TlsAsync("site.example.com", "http/1.1");
        }

        proxy.Logged("sni=site.example.com").ShouldContain("cluster=site.example.com ");
        using (Call call = Call.To(_port))
        {
            await Should.ThrowAsync<IOException>(() => call.TlsAsync("of-the-client.example.com", "http/1.1"));
        }

        proxy.Logged("sni=of-the-client.example.com").ShouldContain("flags=NC ");
        proxy.Get("/stats").ShouldNotContain("of-the-client");
        Call.Ask(_port, "x").ShouldBe("backend x", "without a server name tcp_proxy's own cluster is meant");
    }

    [Fact]
    public void SetFilterState_TcpProxyCluster_ReplacesTheCluster()
    {
        using Sidecar proxy = Start(Filter("set_filter_state.v3.Config", "on_new_connection: [{object_key: envoy.tcp_proxy.cluster, format_string: {text_format_source: {inline_string: other.example.com}}}]"));
        Call.Ask(_port, "x").ShouldBe("other x");
    }

    [Fact]
    public void DirectResponse_IsSentWhole_AndTheConnectionEnds()
    {
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", _port, Boot.Chain(Filter("direct_response.v3.Config", "response: {inline_string: \"not here\\n\"}"))));
        using Call call = Call.To(_port);
        call.ReadLine().ShouldBe("not here");
        call.ReadLine().ShouldBeNull();
        proxy.Logged("out=9 ").ShouldContain("ended=");
    }

    [Fact]
    public void ProxyProtocol_FilterDisabledForThePort_ExpectsAHeaderOnTheOthersOnly()
    {
        int bare = Ports.Free();
        string filter = Boot.Inspector("proxy_protocol", $", filter_disabled: {{destination_port_range: {{start: {bare}, end: {bare + 1}}}}}");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", _port, Boot.Chain(Boot.Tcp("c")), $", listener_filters: [{filter}], additional_addresses: [{{address: {{socket_address: {{address: 127.0.0.1, port_value: {bare}}}}}}}]")
            .With(Boot.Cluster("c", [_backend.Address])));
        Call.Ask(bare, "x").ShouldBe("backend x");
        Call.Ask(_port, "x").ShouldBeNull();
        using Call call = Call.To(_port);
        call.Send("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n");
        call.Ask("x").ShouldBe("backend x");
    }

    [Fact]
    public void FilterChainMatcher_TreeOverThePort_ChoosesByName()
    {
        int second = Ports.Free();
        static string To(string chain) => $"{{action: {{name: n, typed_config: {{'@type': type.googleapis.com/google.protobuf.StringValue, value: {chain}}}}}}}";
        string tree = "{matcher_tree: {input: {name: i, typed_config: {'@type': type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput}}, "
            + $"exact_match_map: {{map: {{'{_port}': {To("one")}, '{second}': {To("two")}}}}}}}}}";
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen(
                "l", _port, Boot.Chain(Boot.Tcp("c"), name: "one") + ", " + Boot.Chain(Boot.Tcp("o"), name: "two"),
                $", filter_chain_matcher: {tree}, additional_addresses: [{{address: {{socket_address: {{address: 127.0.0.1, port_value: {second}}}}}}}]")
            .With(Boot.Cluster("c", [_backend.Address]), Boot.Cluster("o", [_other.Address])));
        Call.Ask(_port, "x").ShouldBe("backend x");
        Call.Ask(second, "x").ShouldBe("other x");
    }
}

using System.Net;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Matching;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What filters, matcher trees and cluster fields of a listener's or cluster's YAML compile to, or are refused with.</summary>
public sealed class FilterDecodingTests : IDisposable
{
    private const string Network = "type.googleapis.com/envoy.extensions.filters.network.";
    private const string Input = "type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.";

    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Filter(string type, string fields) => $"{{name: f, typed_config: {{'@type': {Network}{type}, {fields}}}}}";

    private static string Tcp => Filter("tcp_proxy.v3.TcpProxy", "stat_prefix: s, cluster: c");

    private static string Chain(string filters, string more = "") => $"{{filters: [{filters}{(filters.Length > 0 ? ", " : "")}{Tcp}]{more}}}";

    private static string Bootstrap(string chains, string more = "", string cluster = "") =>
        $"static_resources:\n  listeners: [{{name: l, address: {{socket_address: {{address: 127.0.0.1, port_value: 1000}}}}, filter_chains: [{chains}]{more}}}]\n  clusters: [{{name: c{cluster}}}]\n";

    private static string Rbac(string rules) => Filter("rbac.v3.RBAC", $"stat_prefix: t., rules: {rules}");

    private static string Policy(string permission, string principal) => $"{{policies: {{p: {{permissions: [{permission}], principals: [{principal}]}}}}}}";

    private bool Allows(string rules, MatchInput input)
    {
        FilterChainSnapshot chain = _folder.Start(Bootstrap(Chain(Rbac(rules)))).Listeners[0].FilterChains[0];
        return Allows(chain, input);
    }

    private static bool Allows(FilterChainSnapshot chain, MatchInput input) =>
        chain.Filters.OfType<RbacSnapshot>().All(filter => filter.Rules is null || RbacEngine.Allows(filter.Rules, input, out _));

    private static MatchInput Connection(string source = "10.1.2.3:4000", string destination = "10.9.9.9:6379", string? sni = null) => new()
    {
        Source = IPEndPoint.Parse(source),
        DirectSource = IPEndPoint.Parse("172.16.0.1:1"),
        Destination = IPEndPoint.Parse(destination),
        ServerName = sni,
    };

    [Fact]
    public void NetworkFilters_AreKeptUnderTheNamesOfTheirMessages() =>
        NetworkFilterDecoder.Types.Where(static type => MessageTypes.Find(type) is null).ShouldBeEmpty();

    [Theory]
    [InlineData("{any: true}", "{any: true}", true)]
    [InlineData("{destination_port: 6379}", "{any: true}", true)]
    [InlineData("{destination_port: 6380}", "{any: true}", false)]
    [InlineData("{destination_port_range: {start: 6000, end: 6379}}", "{any: true}", false)]
    [InlineData("{destination_port_range: {start: 6379, end: 6380}}", "{any: true}", true)]
    [InlineData("{destination_ip: {address_prefix: 10.9.0.0, prefix_len: 16}}", "{any: true}", true)]
    [InlineData("{destination_ip: {address_prefix: '::', prefix_len: 0}}", "{any: true}", false)]
    [InlineData("{not_rule: {destination_port: 6379}}", "{any: true}", false)]
    [InlineData("{and_rules: {rules: [{destination_port: 6379}, {not_rule: {destination_port: 1}}]}}", "{any: true}", true)]
    [InlineData("{or_rules: {rules: [{destination_port: 1}, {destination_port: 2}]}}", "{any: true}", false)]
    [InlineData("{requested_server_name: {suffix: .example.com}}", "{any: true}", true)]
    [InlineData("{requested_server_name: {safe_regex: {regex: 'a\\.[a-z]+\\.com'}}}", "{any: true}", true)]
    [InlineData("{requested_server_name: {safe_regex: {regex: 'a\\.example'}}}", "{any: true}", false)]
    [InlineData("{any: true}", "{remote_ip: {address_prefix: 10.1.0.0, prefix_len: 16}}", true)]
    [InlineData("{any: true}", "{source_ip: {address_prefix: 10.2.0.0, prefix_len: 16}}", false)]
    [InlineData("{any: true}", "{direct_remote_ip: {address_prefix: 172.16.0.1, prefix_len: 32}}", true)]
    [InlineData("{any: true}", "{authenticated: {principal_name: {exact: spiffe://a/b}}}", false)]
    [InlineData("{any: true}", "{not_id: {authenticated: {}}}", true)]
    [InlineData("{any: true}", "{and_ids: {ids: [{any: true}, {filter_state: {key: k, string_match: {exact: v}}}]}}", false)]
    public void Rbac_AllowPolicy_MatchesAsDocumented(string permission, string principal, bool expected) =>
        Allows(Policy(permission, principal), Connection(sni: "a.example.com")).ShouldBe(expected);

    [Fact]
    public void Rbac_DenyPolicy_RefusesWhatMatchesOnly()
    {
        string rules = "{action: DENY, " + Policy("{destination_port: 6379}", "{any: true}")[1..];
        Allows(rules, Connection()).ShouldBeFalse();
        Allows(rules, Connection(destination: "10.9.9.9:80")).ShouldBeTrue();
    }

    [Theory]
    [InlineData("443", true)]
    [InlineData("80", false)]
    [InlineData("22", false)]
    public void Rbac_MatcherTree_DoesWhatItsActionSays_AndDeniesTheRest(string port, bool expected)
    {
        const string Action = "'@type': type.googleapis.com/envoy.config.rbac.v3.Action";
        string tree = "{matcher_tree: {input: {name: p, typed_config: {'@type': type.googleapis.com/envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput}}, "
            + $"exact_match_map: {{map: {{'443': {{action: {{name: a, typed_config: {{{Action}, name: web}}}}}}, '80': {{action: {{name: a, typed_config: {{{Action}, name: no, action: DENY}}}}}}}}}}}}}}";
        FilterChainSnapshot chain = _folder.Start(Bootstrap(Chain(Filter("rbac.v3.RBAC", $"stat_prefix: t., matcher: {tree}")))).Listeners[0].FilterChains[0];
        Allows(chain, Connection(destination: "10.9.9.9:" + port)).ShouldBe(expected);
    }

    [Fact]
    public void Rbac_MatcherTreeWithAnotherAction_RefusesTheListener() => _folder.Errors(Bootstrap(Chain(Filter(
        "rbac.v3.RBAC", "stat_prefix: t., matcher: {on_no_match: {action: {name: a, typed_config: {'@type': type.googleapis.com/google.protobuf.StringValue, value: x}}}}"))))
        .ShouldContain("matcher.on_no_match.action: an action is an envoy.config.rbac.v3.Action, not 'google.protobuf.StringValue'");

    [Fact]
    public void Rbac_RulesWithoutPolicy_AllowNothing() => Allows("{}", Connection()).ShouldBeFalse();

    [Theory]
    [InlineData("{header: {name: x}}", "{any: true}", "header")]
    [InlineData("{url_path: {path: {exact: /}}}", "{any: true}", "url_path")]
    [InlineData("{metadata: {filter: x}}", "{any: true}", "metadata")]
    [InlineData("{any: false}", "{any: true}", "Any cannot be evaluated")]
    [InlineData("{}", "{any: true}", "a rule this proxy knows is required")]
    [InlineData("{any: true}", "{}", "an identifier this proxy knows is required")]
    [InlineData("{any: true}", "{remote_ip: {address_prefix: nonsense}}", "is not an IP address")]
    [InlineData("{requested_server_name: {safe_regex: {regex: '(a)\\1'}}}", "{any: true}", "safe_regex.regex")]
    public void Rbac_WhatCannotBeEvaluated_RefusesTheListener(string permission, string principal, string reason) =>
        _folder.Errors(Bootstrap(Chain(Rbac(Policy(permission, principal))))).ShouldContain(reason);

    [Theory]
    [InlineData("connection_limit.v3.ConnectionLimit", "stat_prefix: s", "max_connections")]
    [InlineData("local_ratelimit.v3.LocalRateLimit", "stat_prefix: s, token_bucket: {max_tokens: 1}", "fill_interval: must be at least 50 ms")]
    [InlineData("local_ratelimit.v3.LocalRateLimit", "stat_prefix: s, token_bucket: {max_tokens: 0, fill_interval: 1s}", "max_tokens")]
    [InlineData("local_ratelimit.v3.LocalRateLimit", "stat_prefix: s, share_key: k, token_bucket: {max_tokens: 1, fill_interval: 1s}", "share_key")]
    [InlineData("set_filter_state.v3.Config", "on_new_connection: [{object_key: k, format_string: {text_format_source: {inline_string: '%NO_SUCH%'}}}]", "NO_SUCH")]
    [InlineData("echo.v3.Echo", "", "echo")]
    [InlineData("mysql_proxy.v3.MySQLProxy", "stat_prefix: s", "(envoy.extensions.filters.network.mysql_proxy.v3.MySQLProxy) is not supported")]
    public void Filter_Wrong_IsNamed(string type, string fields, string reason) =>
        _folder.Errors(Bootstrap(Chain(Filter(type, fields)))).ShouldContain(reason);

    [Fact]
    public void Filters_SwitchedOff_AreLeftOut() => _folder.Start(Bootstrap(Chain(
        Filter("connection_limit.v3.ConnectionLimit", "stat_prefix: s, max_connections: 1, runtime_enabled: {default_value: false, runtime_key: k}"))))
        .Listeners[0].FilterChains[0].Filters.ShouldBeEmpty();

    [Fact]
    public void InertFilters_OnEveryChainAndCluster_WarnOncePerResource()
    {
        string exchange = "{name: istio.metadata_exchange, typed_config: {'@type': type.googleapis.com/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/envoy.tcp.metadataexchange.config.MetadataExchange, value: {protocol: istio-peer-exchange}}}";
        string stats = "{name: istio.stats, typed_config: {'@type': type.googleapis.com/udpa.type.v1.TypedStruct, type_url: type.googleapis.com/stats.PluginConfig, value: {debug: 'false'}}}";
        string mongo = "{name: mongo, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy, stat_prefix: m}}";
        string bootstrap = Bootstrap(
            $"{Chain($"{exchange}, {stats}, {mongo}", ", filter_chain_match: {destination_port: 1}")}, {Chain($"{exchange}, {stats}")}",
            cluster: $", filters: [{exchange}, {exchange}]");
        _folder.Errors(bootstrap).ShouldBeEmpty();
        string[] told = _folder.Warnings(bootstrap).Split('\n');
        told.Count(line => line.Contains("'istio.metadata_exchange' only observes", StringComparison.Ordinal)).ShouldBe(2, "one for the listener, one for the cluster");
        told.Count(line => line.Contains("'mongo' only observes", StringComparison.Ordinal)).ShouldBe(1);
        told.ShouldNotContain(line => line.Contains("istio.stats", StringComparison.Ordinal));
    }

    [Fact]
    public void ClusterFilter_Unknown_IsNamed() => _folder.Errors(Bootstrap(
        Chain(""), cluster: ", filters: [{name: my.filter, typed_config: {'@type': type.googleapis.com/some.Filter}}]")).ShouldContain("upstream network filter 'my.filter' (some.Filter)");

    [Theory]
    [InlineData(", health_checks: [{timeout: 1s, interval: 1s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]", "health_checks")]
    [InlineData(", outlier_detection: {consecutive_5xx: 5, interval: 10s}", "outlier_detection")]
    [InlineData(", lb_subset_config: {fallback_policy: ANY_ENDPOINT}", "lb_subset_config")]
    [InlineData(", lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 1024}", "lb_policy")]
    [InlineData(", lb_policy: MAGLEV, maglev_lb_config: {table_size: 65537}", "lb_policy")]
    [InlineData(", lb_policy: ROUND_ROBIN, round_robin_lb_config: {slow_start_config: {slow_start_window: 60s}}", "slow_start_config")]
    [InlineData(", load_balancing_policy: {policies: [{typed_extension_config: {name: m, typed_config: {'@type': type.googleapis.com/envoy.extensions.load_balancing_policies.maglev.v3.Maglev}}}]}", "load_balancing_policy")]
    public void Cluster_FieldForLater_IsTakenWithAWarningNamingIt(string cluster, string field)
    {
        string bootstrap = Bootstrap(Chain(""), cluster: cluster);
        _folder.Errors(bootstrap).ShouldBeEmpty();
        _folder.Warnings(bootstrap).ShouldContain(field);
    }

    [Theory]
    [InlineData(", health_checks: [{timeout: 1s, interval: 0s, unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {}}]", "health_checks[0].interval")]
    [InlineData(", health_checks: [{timeout: 1s, interval: 1s, tcp_health_check: {}}]", "unhealthy_threshold: is required")]
    [InlineData(", outlier_detection: {max_ejection_percent: 101}", "max_ejection_percent")]
    [InlineData(", lb_policy: RING_HASH, ring_hash_lb_config: {minimum_ring_size: 10, maximum_ring_size: 5}", "minimum_ring_size")]
    [InlineData(", common_lb_config: {healthy_panic_threshold: {value: 101}}", "healthy_panic_threshold")]
    [InlineData(", load_assignment: {cluster_name: c, policy: {overprovisioning_factor: 0}}", "overprovisioning_factor")]
    public void Cluster_FieldForLaterWithAWrongValue_IsRefused(string cluster, string reason) =>
        _folder.Errors(Bootstrap(Chain(""), cluster: cluster)).ShouldContain(reason);

    [Fact]
    public void Cluster_WeightedLocalitiesAndPanicThreshold_AreTakenFromBothStyles()
    {
        _folder.Start(Bootstrap(Chain(""), cluster: ", common_lb_config: {locality_weighted_lb_config: {}, healthy_panic_threshold: {value: 0}}"))
            .Clusters["c"].ShouldSatisfyAllConditions(static c => c.LocalityWeighted.ShouldBeTrue(), static c => c.HealthyPanicThreshold.ShouldBe(0));
        const string Policies = "type.googleapis.com/envoy.extensions.load_balancing_policies.";
        _folder.Start(Bootstrap(Chain(""), cluster: $", load_balancing_policy: {{policies: [{{typed_extension_config: {{name: m, typed_config: {{'@type': {Policies}least_request.v3.LeastRequest, choice_count: 3, locality_lb_config: {{locality_weighted_lb_config: {{}}}}}}}}}}]}}"))
            .Clusters["c"].ShouldSatisfyAllConditions(static c => c.LocalityWeighted.ShouldBeTrue(), static c => c.LeastRequestChoices.ShouldBe(3));
    }

    private string? Chosen(string matcher, MatchInput input)
    {
        string chains = string.Join(", ", new[] { "a", "b", "c" }.Select(static name => Chain("", $", name: {name}")));
        ListenerSnapshot listener = _folder.Start(Bootstrap(chains, $", filter_chain_matcher: {matcher}")).Listeners[0];
        return FilterChainMatcher.For(listener).Find(input)?.Name;
    }

    private static string To(string chain) => $"{{action: {{name: x, typed_config: {{'@type': type.googleapis.com/google.protobuf.StringValue, value: {chain}}}}}}}";

    private static string InputOf(string name) => $"{{name: i, typed_config: {{'@type': {Input}{name}}}}}";

    private static string Tree(string input, string map, string otherwise = "") => $"{{matcher_tree: {{input: {InputOf(input)}, {map}}}{otherwise}}}";

    [Theory]
    [InlineData("10.9.9.9:80", "a")]
    [InlineData("10.9.9.9:81", "b")]
    [InlineData("10.9.9.9:82", null)]
    public void MatcherTree_ExactMap_NamesTheChain(string destination, string? expected) => Chosen(
        Tree("DestinationPortInput", $"exact_match_map: {{map: {{'80': {To("a")}, '81': {To("b")}}}}}"), Connection(destination: destination)).ShouldBe(expected);

    [Theory]
    [InlineData("10.1.2.3:1", "a")]
    [InlineData("10.1.9.9:1", "b")]
    [InlineData("11.0.0.1:1", "c")]
    public void MatcherTree_IpRanges_LongestPrefixThenOnNoMatch(string source, string expected)
    {
        string ip = $"custom_match: {{name: ip, typed_config: {{'@type': type.googleapis.com/xds.type.matcher.v3.IPMatcher, range_matchers: [{{ranges: [{{address_prefix: 10.0.0.0, prefix_len: 8}}], on_match: {To("b")}}}, {{ranges: [{{address_prefix: 10.1.2.0, prefix_len: 24}}], on_match: {To("a")}}}]}}}}";
        Chosen(Tree("SourceIPInput", ip, $", on_no_match: {To("c")}"), Connection(source)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("x.example.com", "a")]
    [InlineData("y.example.com", "b")]
    [InlineData(null, "c")]
    public void MatcherList_FirstThatHoldsAndLeadsSomewhere_Wins(string? sni, string expected)
    {
        string nested = $"{{matcher: {Tree("ServerNameInput", $"exact_match_map: {{map: {{x.example.com: {To("a")}}}}}")}}}";
        string list = $$"""
            {matcher_list: {matchers: [
              {predicate: {single_predicate: {input: {{InputOf("ServerNameInput")}}, value_match: {suffix: .example.com} } }, on_match: {{nested}} },
              {predicate: {and_matcher: {predicate: [{single_predicate: {input: {{InputOf("ServerNameInput")}}, value_match: {prefix: y} } },
                {not_matcher: {single_predicate: {input: {{InputOf("TransportProtocolInput")}}, value_match: {exact: tls} } } }]} }, on_match: {{To("b")}} }]},
             on_no_match: {{To("c")}} }
            """;
        Chosen(list.ReplaceLineEndings(" "), Connection(sni: sni)).ShouldBe(expected);
    }

    [Fact]
    public void MatcherTree_UnknownChainInputOrAction_IsNamed()
    {
        string chain = Chain("", ", name: a");
        _folder.Errors(Bootstrap(chain, ", filter_chain_matcher: " + Tree("DestinationPortInput", $"exact_match_map: {{map: {{'80': {To("zzz")}}}}}"))).ShouldContain("no filter chain 'zzz'");
        _folder.Errors(Bootstrap(chain, ", filter_chain_matcher: " + Tree("NoSuchInput", $"exact_match_map: {{map: {{'80': {To("a")}}}}}"))).ShouldContain("NoSuchInput");
        _folder.Errors(Bootstrap(Chain(""), $", filter_chain_matcher: {{on_no_match: {To("a")}}}")).ShouldContain("needs a name of its own");
    }

    [Fact]
    public void TlsOnSeveralChains_WarnsOnce()
    {
        const string Tls = ", transport_socket: {name: tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext}}, filter_chain_match: {destination_port: ";
        string bootstrap = Bootstrap($"{Chain("", Tls + "1}")}, {Chain("", Tls + "2}")}");
        _folder.Errors(bootstrap).ShouldBeEmpty();
        _folder.Warnings(bootstrap).Split('\n').Count(static line => line.Contains("TLS is not supported", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Theory]
    [InlineData("quic.v3.QuicDownstreamTransport")]
    [InlineData("starttls.v3.StartTlsConfig")]
    public void OtherTransportSocket_IsNamed(string type) => _folder.Errors(Bootstrap(Chain(
        "", $", transport_socket: {{name: other, typed_config: {{'@type': type.googleapis.com/envoy.extensions.transport_sockets.{type}}}}}"))).ShouldContain(type);
}

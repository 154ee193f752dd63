using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

public sealed class RuleTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private const string Tcp = "{name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, cluster: c}}";

    private const string Limit = "{name: l, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit, stat_prefix: s, max_connections: 5}}";

    private static string Listener(string name, int port, string chains, string more = "")
        => $"{{name: {name}, address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}, filter_chains: [{chains}]{more}}}";

    private static string Bootstrap(string listeners, string clusters = "{name: c}")
        => $"static_resources:\n  listeners: [{listeners}]\n  clusters: [{clusters}]\n";

    [Fact]
    public void Validate_TwoListenersOnOneAddress_IsRefused()
        => _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}") + ", " + Listener("b", 1000, $"{{filters: [{Tcp}]}}")))
            .ShouldContain("127.0.0.1:1000 already belongs to listener 'a'");

    [Fact]
    public void Validate_AdditionalAddressOfAnotherListenerOrItsOwn_IsRefused()
    {
        static string More(int port) => $", additional_addresses: [{{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}]";
        _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}", More(1001)) + ", " + Listener("b", 1001, $"{{filters: [{Tcp}]}}")))
            .ShouldContain("127.0.0.1:1001 already belongs to listener 'a'");
        _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}", More(1000)))).ShouldContain("127.0.0.1:1000 already belongs to listener 'a'");
        _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}", More(1001)))).ShouldBeEmpty();
    }

    [Fact]
    public void Validate_EqualChainMatch_IsRefused()
        => _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}, {{filters: [{Tcp}]}}"))).ShouldContain("matches the same as filter_chains[0]");

    [Fact]
    public void Validate_OverlappingServerNames_IsRefused()
        => _folder.Errors(Bootstrap(Listener(
            "a", 1000,
            $"{{filter_chain_match: {{server_names: [x.y, z.y]}}, filters: [{Tcp}]}}, {{filter_chain_match: {{server_names: [Z.y]}}, filters: [{Tcp}]}}")))
            .ShouldContain("matches the same as filter_chains[0]");

    [Fact]
    public void Validate_ChainWithoutTerminal_IsRefused()
        => _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Limit}]}}"))).ShouldContain("the last filter must be a terminal one");

    [Fact]
    public void Validate_FilterBehindTerminal_IsRefused()
        => _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}, {Limit}]}}"))).ShouldContain("filters[1]: 'l' stands behind the terminal filter");

    [Fact]
    public void Validate_UnsupportedFilterOfAUdpListener_IsNamed()
        => _folder.Errors(
            "static_resources: {listeners: [{name: u, address: {socket_address: {protocol: UDP, address: 127.0.0.1, port_value: 1000}}, listener_filters: [{name: my.dns, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig}}]}]}\n")
            .ShouldContain("listener_filters[0]: UDP listener filter 'my.dns' (envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig) is not supported");

    [Fact]
    public void Validate_UnsupportedFilter_IsNamed()
        => _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{{name: my.echo, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo}}}}, {Tcp}]}}")))
            .ShouldContain("my.echo");

    [Fact]
    public void Validate_UnknownCluster_IsAWarningOnly()
    {
        string bootstrap = Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}"), "{name: other}");
        _folder.Errors(bootstrap).ShouldBeEmpty();
        _folder.Warnings(bootstrap).ShouldContain("cluster 'c' is not known");
    }

    [Fact]
    public void Validate_OriginalDestinationWithoutFilter_Warns()
        => _folder.Warnings(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}"), "{name: c, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED}"))
            .ShouldContain("no original_dst filter");

    [Fact]
    public void Validate_InboundWithoutBind_Warns()
        => _folder.Warnings(Bootstrap(
            Listener("a", 1000, $"{{filters: [{Tcp}]}}", ", use_original_dst: true, traffic_direction: INBOUND"),
            "{name: c, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED}")).ShouldContain("loop guard");

    [Fact]
    public void Validate_UpstreamTls_WarnsAndIsTaken()
    {
        string bootstrap = Bootstrap("", "{name: c, transport_socket: {name: tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}}");
        _folder.Warnings(bootstrap).ShouldContain("TLS is not supported");
        _folder.Start(bootstrap).Clusters["c"].RequiresTls.ShouldBeTrue();
    }

    /// <summary>Twenty kilobytes of lists stand for eight million leaves.</summary>
    [Fact]
    public void Validate_ChainsThatStandForMillionsOfCombinations_AreRefused()
    {
        string ranges = string.Join(", ", Enumerable.Range(0, 200).Select(static i => $"{{address_prefix: 10.0.{i}.0, prefix_len: 24}}"));
        string names = string.Join(", ", Enumerable.Range(0, 200).Select(static i => $"h{i}.example"));
        string match = $"{{prefix_ranges: [{ranges}], server_names: [{names}], source_prefix_ranges: [{ranges}]}}";
        _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}, {{filter_chain_match: {match}, filters: [{Tcp}]}}")))
            .ShouldContain("filter_chains[1].filter_chain_match: the chains up to this one stand for 8000001 combinations of values: 100000 are the most");
    }

    /// <summary>An event loop would stand still at the first connection.</summary>
    [Fact]
    public void Start_ChainsOfManyCombinations_AreCompiledBeforeTheyArePublished()
    {
        string names = string.Join(", ", Enumerable.Range(0, 5000).Select(static i => $"h{i}.example"));
        ListenerSnapshot listener = _folder.Start(Bootstrap(Listener("a", 1000, $"{{filter_chain_match: {{server_names: [{names}]}}, filters: [{Tcp}]}}"))).Listeners[0];
        FilterChainMatcher.IsPrepared(listener).ShouldBeTrue();
    }

    [Theory]
    [InlineData("010.0.0.0", false)]
    [InlineData("10.1", false)]
    [InlineData("10", false)]
    [InlineData("0x0a.0.0.0", false)]
    [InlineData("10.0.0.0:80", false)]
    [InlineData("[::1]", false)]
    [InlineData("[::1]:80", false)]
    [InlineData("fe80::1%2", false)]
    [InlineData("10.0.0.0", true)]
    [InlineData("FD00:0:0::1", true)]
    [InlineData("::ffff:10.0.0.1", true)]
    public void Validate_AddressesInLooseForms_AreRefused(string text, bool taken)
    {
        const string Rbac = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";
        string deny = $"{{name: r, typed_config: {{'@type': {Rbac}, stat_prefix: s, rules: {{action: DENY, policies: {{p: {{permissions: [{{any: true}}], principals: [{{remote_ip: {{address_prefix: '{text}', prefix_len: 8}}}}]}}}}}}}}}}";
        string errors = _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{deny}, {Tcp}]}}")));
        (errors.Length == 0).ShouldBe(taken, errors);
        (taken || errors.Contains($"'{text}' is not an IP address", StringComparison.Ordinal)).ShouldBeTrue(errors);
    }

    [Theory]
    [InlineData("0177.0.0.1", false)]
    [InlineData("127.1", false)]
    [InlineData("fe80::1%2", true)]
    public void Validate_EndpointAddressesInLooseForms_AreRefused(string text, bool taken)
    {
        string cluster = $"{{name: c, load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: '{text}', port_value: 80}}}}}}}}]}}]}}}}";
        _folder.Errors(Bootstrap(Listener("a", 1000, $"{{filters: [{Tcp}]}}"), cluster)).Contains("is not an IP address", StringComparison.Ordinal).ShouldBe(!taken);
    }
}

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
}

using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Decoding;

public sealed class TreeMessageDecoderTests
{
    private const string Good = """
        node: {id: sidecar~10.0.0.1~a.b~b.svc.cluster.local, metadata: {LABELS: {app: web}, n: 1.5, ok: true, none: ~}}
        static_resources:
          listeners:
          - name: web
            address: {socket_address: {address: 0.0.0.0, port_value: 8080}}
            traffic_direction: OUTBOUND
            listener_filters_timeout: 0.25s
            use_original_dst: true
            filter_chains:
            - filters:
              - name: envoy.filters.network.tcp_proxy
                typed_config:
                  '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                  cluster: there
                  idle_timeout: 3600s
          clusters:
          - name: there
            connect_timeout: 1.5s
            type: STRICT_DNS
            circuit_breakers: {thresholds: [{max_connections: 4294967295}]}
        """;

    [Fact]
    public void Read_BootstrapInSnakeCase_TakesEveryField()
    {
        (Bootstrap? bootstrap, IssueCollector issues) = Reading.Yaml<Bootstrap>(Good);

        issues.Issues.ShouldBeEmpty();
        Listener listener = bootstrap!.StaticResources.Listeners.ShouldHaveSingleItem();
        listener.Address.SocketAddress.PortValue.ShouldBe(8080u);
        listener.ListenerFiltersTimeout.ToTimeSpan().ShouldBe(TimeSpan.FromMilliseconds(250));
        listener.UseOriginalDst.ShouldBe(true);
        listener.FilterChains[0].Filters[0].TypedConfig.Unpack<TcpProxy>().Cluster.ShouldBe("there");
        Cluster cluster = bootstrap.StaticResources.Clusters.ShouldHaveSingleItem();
        cluster.Type.ShouldBe(Cluster.Types.DiscoveryType.StrictDns);
        cluster.CircuitBreakers.Thresholds[0].MaxConnections.ShouldBe(uint.MaxValue);
        bootstrap.Node.Metadata.Fields["LABELS"].StructValue.Fields["app"].StringValue.ShouldBe("web");
    }

    [Fact]
    public void Read_CamelCaseJson_EqualsSnakeCaseYaml()
    {
        (Cluster? camel, IssueCollector first) = Reading.Json<Cluster>(
            """{"name": "a", "connectTimeout": "2s", "lbPolicy": "LEAST_REQUEST", "edsClusterConfig": {"serviceName": "b"}}""");
        (Cluster? snake, IssueCollector second) = Reading.Yaml<Cluster>(
            "{name: a, connect_timeout: 2s, lb_policy: LEAST_REQUEST, eds_cluster_config: {service_name: b}}");

        first.Issues.ShouldBeEmpty();
        second.Issues.ShouldBeEmpty();
        camel.ShouldBe(snake);
    }

    [Fact]
    public void Read_ManyErrors_TellsAllWithPathAndLine()
    {
        (_, IssueCollector issues) = Reading.Yaml<Bootstrap>("""
            nodes: {}
            static_resources:
              listeners:
              - name: web
                address: {socket_address: {address: 1, port_value: 70000000000}}
                traffic_direction: SIDEWAYS
                listener_filters_timeout: 5
                transparent: "yes"
                filter_chains:
                - filters:
                  - name: tcp
                    typed_config:
                      '@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                      clustre: x
                      tunneling_config: {hostname: h}
            """);

        issues.Issues.Select(issue => (issue.Path, issue.Line)).ShouldBe(
        [
            ("nodes", 1),
            ("static_resources.listeners[0].address.socket_address.address", 5),
            ("static_resources.listeners[0].address.socket_address.port_value", 5),
            ("static_resources.listeners[0].traffic_direction", 6),
            ("static_resources.listeners[0].listener_filters_timeout", 7),
            ("static_resources.listeners[0].transparent", 8),
            ("static_resources.listeners[0].filter_chains[0].filters[0].typed_config.clustre", 14),
            ("static_resources.listeners[0].filter_chains[0].filters[0].typed_config.tunneling_config", 15),
        ]);
        issues.ErrorCount.ShouldBe(8);
        issues.Issues[1].Resource.ShouldBe("Listener/web");
        issues.Issues[1].ToString().ShouldStartWith("test:5: Listener/web: static_resources.listeners[0].address");
    }

    [Theory]
    [InlineData("name: [a]", "name", "expected a string")]
    [InlineData("name: true", "name", "put it in quotes")]
    [InlineData("filter_chains: {}", "filter_chains", "expected a list")]
    [InlineData("filter_chains: [~]", "filter_chains[0]", "null")]
    [InlineData("address: here", "address", "expected a mapping")]
    [InlineData("per_connection_buffer_limit_bytes: -1", "per_connection_buffer_limit_bytes", "from 0 to 4294967295")]
    [InlineData("per_connection_buffer_limit_bytes: 1.5", "per_connection_buffer_limit_bytes", "whole number")]
    [InlineData("tcp_backlog_size: 4294967296", "tcp_backlog_size", "from 0 to 4294967295")]
    [InlineData("traffic_direction: 9", "traffic_direction", "INBOUND")]
    [InlineData("listener_filters_timeout: 1.0000000001s", "listener_filters_timeout", "duration")]
    [InlineData("listener_filters_timeout: 315576000001s", "listener_filters_timeout", "duration")]
    [InlineData("listener_filters_timeout: 1m", "listener_filters_timeout", "duration")]
    [InlineData("address: {pipe: {path: /x}, socket_address: {address: '::'}}", "address.socket_address", "beside pipe")]
    [InlineData("address: {pipe: {path: /x, mode: 0600}}", "address.pipe.mode", "whole number")]
    [InlineData("{name: a, name: b}", "name", "twice")]
    [InlineData("{use_original_dst: true, useOriginalDst: true}", "use_original_dst", "twice")]
    [InlineData("filter_chains: [{filters: [{typed_config: {a: 1}}]}]", "filter_chains[0].filters[0].typed_config", "@type")]
    [InlineData("- a", "", "expected a mapping")]
    public void Read_ValueThatDoesNotFit_IsOneErrorAtItsPath(string yaml, string path, string reason)
    {
        ConfigIssue issue = Reading.Yaml<Listener>(yaml).Issues.Only();

        issue.Severity.ShouldBe(IssueSeverity.Error);
        issue.Path.ShouldBe(path);
        issue.Message.ShouldContain(reason, Case.Sensitive);
        issue.Line.ShouldBe(1);
    }

    [Theory]
    [InlineData("name: ~")]
    [InlineData("filter_chains: []")]
    [InlineData("socket_options: []")]
    [InlineData("per_connection_buffer_limit_bytes: 0x10")]
    [InlineData("per_connection_buffer_limit_bytes: '16'")]
    [InlineData("per_connection_buffer_limit_bytes: 1e3")]
    [InlineData("listener_filters_timeout: 0s")]
    [InlineData("traffic_direction: 2")]
    [InlineData("bypass_overload_manager: false")]
    public void Read_ValueThatFits_HasNoIssue(string yaml) => Reading.Yaml<Listener>(yaml).Issues.Issues.ShouldBeEmpty();

    [Fact]
    public void Read_UnsupportedField_IsAnError()
    {
        ConfigIssue issue = Reading.Yaml<Cluster>("{name: c, use_tcp_for_dns_lookups: true}", ConfigSourceKind.Xds).Issues.Only();

        (issue.Severity, issue.Path, issue.Resource).ShouldBe((IssueSeverity.Error, "use_tcp_for_dns_lookups", "Cluster/c"));
    }

    [Fact]
    public void Read_HarmlessField_IsAWarningAndNotLookedInto()
    {
        ConfigIssue issue = Reading.Yaml<Bootstrap>("layered_runtime: {layers: [{name: x, what: ever}]}").Issues.Only();

        (issue.Severity, issue.Path).ShouldBe((IssueSeverity.Warning, "layered_runtime"));
    }

    [Fact]
    public void Read_UnknownField_IsAWarningOnlyOverXds()
    {
        foreach (ConfigSourceKind kind in Enum.GetValues<ConfigSourceKind>())
        {
            IssueSeverity expected = kind == ConfigSourceKind.Xds ? IssueSeverity.Warning : IssueSeverity.Error;
            Reading.Yaml<Cluster>("{name: c, shiny: 1}", kind).Issues.Only().Severity.ShouldBe(expected);
        }
    }

    [Fact]
    public void Read_ErrorInOneValue_LeavesTheRest()
    {
        (Cluster? cluster, IssueCollector issues) = Reading.Yaml<Cluster>("{name: c, lb_policy: BEST, connect_timeout: 1s}");

        issues.Only().Path.ShouldBe("lb_policy");
        cluster!.ConnectTimeout.Seconds.ShouldBe(1);
    }
}

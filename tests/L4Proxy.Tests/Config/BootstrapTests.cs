using System.Net;
using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

public sealed class BootstrapTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>The shape istiod gives a sidecar: a virtual listener per direction with hand-over, pass-through and bind.</summary>
    private const string Istio =
        """
        node: {id: 'sidecar~10.0.0.1~p.ns~ns.svc.cluster.local', cluster: p.ns}
        admin: {address: {socket_address: {address: 127.0.0.1, port_value: 15000}}}
        bootstrap_extensions:
        - name: meshl4.http_handoff
          typed_config: {'@type': type.googleapis.com/meshl4.bootstrap.v1.HttpHandoff, cluster: engine, proxy_protocol: V2}
        static_resources:
          listeners:
          - name: virtualOutbound
            address: {socket_address: {address: 0.0.0.0, port_value: 15001}}
            use_original_dst: true
            traffic_direction: OUTBOUND
            filter_chains:
            - name: virtualOutbound-blackhole
              filter_chain_match: {destination_port: 15001}
              filters: [{name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: b, cluster: BlackHoleCluster}}]
            - name: virtualOutbound-catchall-tcp
              filters:
              - {name: istio.stats, typed_config: {'@type': type.googleapis.com/stats.PluginConfig}}
              - {name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: p, cluster: PassthroughCluster, idle_timeout: 5s}}
          - name: 10.0.0.9_6379
            address: {socket_address: {address: 10.0.0.9, port_value: 6379}}
            bind_to_port: false
            listener_filters_timeout: 0s
            continue_on_listener_filters_timeout: true
            filter_chains:
            - filters:
              - name: r
                typed_config:
                  '@type': type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy
                  stat_prefix: r
                  settings: {op_timeout: 5s}
                  prefix_routes: {routes: [{prefix: 'b:', remove_prefix: true, cluster: BlackHoleCluster}], catch_all_route: {cluster: PassthroughCluster}}
          - name: virtualInbound
            address: {socket_address: {address: 0.0.0.0, port_value: 15006}}
            traffic_direction: INBOUND
            listener_filters:
            - {name: envoy.filters.listener.original_dst, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst}}
            - {name: envoy.filters.listener.tls_inspector, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector}}
            - name: envoy.filters.listener.http_inspector
              typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector}
              filter_disabled: {or_match: {rules: [{destination_port_range: {start: 3306, end: 3307}}, {not_match: {destination_port_range: {start: 1, end: 9000}}}]}}
            filter_chains:
            - name: http
              filter_chain_match: {destination_port: 80, transport_protocol: raw_buffer, application_protocols: [http/1.1, h2c]}
              filters: [{name: h, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, rds: {route_config_name: '80'}}}]
            - name: v4
              filter_chain_match: {prefix_ranges: [{address_prefix: 0.0.0.0, prefix_len: 0}]}
              filters: [{name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: i, cluster: InboundPassthroughCluster}}]
          clusters:
          - {name: BlackHoleCluster, type: STATIC, connect_timeout: 10s}
          - {name: PassthroughCluster, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED}
          - name: InboundPassthroughCluster
            type: ORIGINAL_DST
            lb_policy: CLUSTER_PROVIDED
            upstream_bind_config: {source_address: {address: 127.0.0.6, port_value: 0}, extra_source_addresses: [{address: {address: '::6', port_value: 0}}]}
          - {name: engine, load_assignment: {cluster_name: engine, endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: /run/engine.sock}}}}]}]}}
        """;

    [Fact]
    public void Start_IstioLikeBootstrap_CompilesBothDirections()
    {
        ProxySnapshot snapshot = _folder.Start(Istio);
        snapshot.Listeners.Select(one => one.Name).ShouldBe(["virtualOutbound", "10.0.0.9_6379", "virtualInbound"]);
        ListenerSnapshot outbound = snapshot.Listeners[0];
        outbound.UseOriginalDestination.ShouldBeTrue();
        outbound.Filters.OriginalDestination.ShouldBeTrue();
        outbound.Direction.ShouldBe(TrafficDirection.Outbound);
        outbound.FilterChains[0].Match.DestinationPort.ShouldBe(15001);
        outbound.FilterChains[1].Terminal.ShouldBeOfType<TcpProxySnapshot>().IdleTimeout.ShouldBe(TimeSpan.FromSeconds(5));
        snapshot.Listeners[1].BindToPort.ShouldBeFalse();
        snapshot.Listeners[1].ListenerFiltersTimeout.ShouldBe(TimeSpan.Zero);
        snapshot.Handoff.ShouldBe(new HttpHandoffSnapshot("engine", ProxyProtocolVersion.V2));
        _folder.ConfigPath.Bootstrap.Admin.ShouldBe(new IPEndPoint(IPAddress.Loopback, 15000));
        _folder.ConfigPath.Bootstrap.NodeCluster.ShouldBe("p.ns");
        _folder.Issues.ShouldAllBe(issue => issue.Message.Contains("istio.stats", StringComparison.Ordinal));
    }

    [Fact]
    public void Start_IstioLikeBootstrap_HonoursFilterDisabledAndBind()
    {
        ProxySnapshot snapshot = _folder.Start(Istio);
        ListenerFilters filters = snapshot.Listeners[2].Filters;
        (filters.OriginalDestination, filters.TlsInspector, filters.HttpInspector).ShouldBe((true, true, true));
        filters.HttpInspectorDisabled.ShouldNotBeNull();
        filters.HttpInspectorDisabled.Contains(3306).ShouldBeTrue();
        filters.HttpInspectorDisabled.Contains(80).ShouldBeFalse();
        filters.HttpInspectorDisabled.Contains(9000).ShouldBeTrue();
        ClusterSnapshot inbound = snapshot.Clusters["InboundPassthroughCluster"];
        inbound.BindV4.ShouldBe(new IPEndPoint(IPAddress.Parse("127.0.0.6"), 0));
        inbound.BindV6.ShouldBe(new IPEndPoint(IPAddress.Parse("::6"), 0));
        snapshot.Listeners[2].FilterChains[0].Terminal.ShouldBeOfType<HttpHandoffTerminalSnapshot>().RouteConfigName.ShouldBe("80");
    }

    [Fact]
    public void Start_RedisProxy_CompilesRoutes()
    {
        var redis = _folder.Start(Istio).Listeners[1].FilterChains[0].Terminal.ShouldBeOfType<XRpcProxySnapshot>();
        redis.Codec.ShouldBe("redis");
        XRpcRouteSnapshot route = redis.Routes.Current.ByKey("b:1"u8).ShouldNotBeNull();
        (route.RemoveKeyPrefix, route.Clusters[0].Cluster, route.Policies.Timeout).ShouldBe((true, "BlackHoleCluster", TimeSpan.FromSeconds(5)));
        redis.Routes.Current.CatchAll!.Clusters[0].Cluster.ShouldBe("PassthroughCluster");
    }

    [Fact]
    public void Start_StaticHttpListenerOnReadinessPort_IsTakenAsTheRequestForIt()
    {
        ProxySnapshot snapshot = _folder.Start(
            """
            static_resources:
              listeners:
              - address: {socket_address: {address: 127.0.0.2, port_value: 15021}}
                filter_chains: [{filters: [{name: h, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h}}]}]
            bootstrap_extensions: [{name: o, typed_config: {'@type': type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions, prometheus_port: 0, enable_quit: true}}]
            """);
        snapshot.Listeners.ShouldBeEmpty();
        _folder.ConfigPath.Bootstrap.Readiness.ShouldBe(IPEndPoint.Parse("127.0.0.2:15021"));
        _folder.ConfigPath.Bootstrap.Prometheus.ShouldBeNull();
        _folder.ConfigPath.Bootstrap.EnableQuit.ShouldBeTrue();
    }

    [Fact]
    public void Validate_SeveralErrors_PrintsEachWithItsPathAndExits1()
    {
        var output = new StringWriter();
        ValidateCommand.Run(_folder.Arguments(
            """
            static_resources:
              listeners:
              - name: a
                address: {socket_address: {address: 127.0.0.1, port_value: 70000}}
                filter_chains: [{filters: [{name: x, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s}}]}]
              clusters:
              - {name: c, connect_timeout: 0s, lb_policy: RING_HASH}
              - {name: c}
            """), output).ShouldBe(1);
        string text = output.ToString();
        text.ShouldContain("static_resources.listeners[0].address.socket_address.port_value");
        text.ShouldContain("static_resources.listeners[0].filter_chains[0].filters[0].typed_config: cluster or weighted_clusters");
        text.ShouldContain("static_resources.clusters[0].connect_timeout");
        text.ShouldContain("static_resources.clusters[0].lb_policy");
        text.ShouldContain("static_resources.clusters[1]: the name 'c' stands twice");
    }

    [Fact]
    public void Validate_GoodFile_SaysOkAndExits0()
    {
        var output = new StringWriter();
        ValidateCommand.Run(_folder.Arguments(Istio), output).ShouldBe(0);
        output.ToString().ShouldContain("configuration OK");
    }

    [Fact]
    public void Validate_Json_IsOneDocument()
    {
        var output = new StringWriter();
        ValidateCommand.Run(_folder.Arguments("static_resources: {clusters: [{name: c, connect_timeout: 0s}]}") with { JsonOutput = true }, output).ShouldBe(1);
        using var document = System.Text.Json.JsonDocument.Parse(output.ToString());
        document.RootElement.GetProperty("valid").GetBoolean().ShouldBeFalse();
        document.RootElement.GetProperty("issues")[0].GetProperty("path").GetString().ShouldBe("static_resources.clusters[0].connect_timeout");
    }

    [Fact]
    public void Validate_MissingFile_IsAnError()
        => ValidateCommand.Run(new ProxyArguments { ConfigPath = _folder.Path("none.yaml") }, new StringWriter()).ShouldBe(1);

    [Fact]
    public void Validate_ConfigYaml_IsMergedOverTheFile()
    {
        ProxyArguments arguments = _folder.Arguments("static_resources: {clusters: [{name: c}]}") with
        {
            ConfigYaml = "static_resources: {clusters: [{name: c}]}",
        };
        var output = new StringWriter();
        ValidateCommand.Run(arguments, output).ShouldBe(1);
        output.ToString().ShouldContain("stands twice");
    }
}

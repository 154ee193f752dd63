using System.Net;

namespace MeshL4.Load.Subjects;

/// <summary>The Envoy v3 bootstrap the harness gives MeshL4: one listener, one static cluster, limits out of
/// the way, admin on loopback, the two fixed ports off so that two copies run side by side.</summary>
internal static class MeshBootstrap
{
    /// <summary>The YAML text.</summary>
    public static string Text(IPEndPoint listen, IPEndPoint admin, IReadOnlyList<IPEndPoint> upstreams, bool redisCodec, int routes = 0) => $$"""
        node: { id: bench, cluster: bench }
        admin:
          address: { socket_address: {{Address(admin)}} }
        bootstrap_extensions:
        - name: meshl4.proxy_options
          typed_config:
            "@type": type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions
            readiness_port: 0
            prometheus_port: 0
            max_downstream_connections: 9000
        static_resources:
          listeners:
          - name: bench
            address: { socket_address: {{Address(listen)}} }
            filter_chains:
            - filters:
        {{(redisCodec ? RedisProxy(routes) : TcpProxy)}}
          clusters:
          - name: upstream
            type: STATIC
            connect_timeout: 5s
            lb_policy: ROUND_ROBIN
            circuit_breakers:
              thresholds:
              - { max_connections: 1000000, max_pending_requests: 1000000, max_requests: 1000000 }
            load_assignment:
              cluster_name: upstream
              endpoints:
              - lb_endpoints:
        {{string.Join('\n', upstreams.Select(u => $"        - endpoint: {{ address: {{ socket_address: {Address(u)} }} }}"))}}

        """;

    private const string TcpProxy = """
              - name: envoy.filters.network.tcp_proxy
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                  stat_prefix: bench
                  cluster: upstream
        """;

    private static string RedisProxy(int routes) => $$"""
              - name: envoy.filters.network.redis_proxy
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy
                  stat_prefix: bench
                  settings: { op_timeout: 5s }
                  prefix_routes:
                    catch_all_route: { cluster: upstream }
                    routes: [{{string.Join(", ", Enumerable.Range(0, routes).Select(i => $"{{ prefix: 'p{i}:', cluster: upstream }}"))}}]
        """;

    private static string Address(IPEndPoint endPoint) => $"{{ address: {endPoint.Address}, port_value: {endPoint.Port} }}";
}

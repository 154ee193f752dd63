using System.Net;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Subjects;

/// <summary>The Envoy v3 bootstrap the harness gives MeshL4: one listener, one static cluster, limits out of
/// the way, admin on loopback, the two fixed ports off so that two copies run side by side.</summary>
internal static class MeshBootstrap
{
    /// <summary>The YAML text.</summary>
    /// <param name="listen">Where it listens.</param>
    /// <param name="admin">Where its admin pages are.</param>
    /// <param name="upstreams">The servers.</param>
    /// <param name="filter">The one filter of its one chain.</param>
    public static string Text(IPEndPoint listen, IPEndPoint admin, IReadOnlyList<IPEndPoint> upstreams, string filter) => $$"""
        node: { id: bench, cluster: bench }
        admin:
          address: { socket_address: {{Address(admin)}} }
        bootstrap_extensions:
        - name: meshl4.proxy_options
          typed_config:
            "@type": type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions
            readiness_port: 0
            prometheus_port: 0
            max_downstream_connections: 12000
        static_resources:
          listeners:
          - name: bench
            address: { socket_address: {{Address(listen)}} }
            filter_chains:
            - filters:
        {{filter}}
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

    /// <summary>A plain relay.</summary>
    public const string TcpProxy = """
              - name: envoy.filters.network.tcp_proxy
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                  stat_prefix: bench
                  cluster: upstream
        """;

    /// <summary>Redis by the common message of all RPC protocols.</summary>
    /// <param name="more">Further members.</param>
    public static string XRpcProxy(string more) => $$"""
              - name: meshl4.xrpc
                typed_config: { "@type": type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: bench, codec: redis, route_config: { routes: [ { forward: { cluster: upstream } } ] }, {{more}} }
        """;

    /// <summary>Redis as Envoy configures it.</summary>
    /// <param name="routes">Prefix routes beside the catch-all; the last of them is the one that takes the key that is asked for.</param>
    public static string RedisProxy(int routes = 0) => $$"""
              - name: envoy.filters.network.redis_proxy
                typed_config:
                  "@type": type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy
                  stat_prefix: bench
                  settings: { op_timeout: 5s }
                  prefix_routes:
                    catch_all_route: { cluster: upstream }
                    routes: [{{string.Join(", ", Prefixes(routes).Select(prefix => $"{{ prefix: '{prefix}', cluster: upstream }}"))}}]
        """;

    private static IEnumerable<string> Prefixes(int routes) =>
        routes == 0 ? [] : [.. Enumerable.Range(1, routes - 1).Select(i => $"p{i}:"), RedisLoad.KeyPrefix];

    private static string Address(IPEndPoint endPoint) => $"{{ address: {endPoint.Address}, port_value: {endPoint.Port} }}";
}

using System.Globalization;
using System.Net;
using System.Text;

namespace MeshL4.TestKit;

/// <summary>Builds the text of a bootstrap with free ports, every listener logging one JSON line per connection.</summary>
internal sealed class Bootstrap
{
    private const string Network = "type.googleapis.com/envoy.extensions.filters.network.";
    private const string ListenerFilter = "type.googleapis.com/envoy.extensions.filters.listener.";
    private readonly StringBuilder _listeners = new();
    private readonly StringBuilder _clusters = new();
    private string _dynamic = "";
    private string _secrets = "";

    // The fixed ports of a pod are off: many proxies of tests run side by side.
    private string _extensions = "bootstrap_extensions:\n- name: meshl4.admin\n  typed_config: {'@type': type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions, readiness_port: 0, prometheus_port: 0}\n";

    public int AdminPort { get; } = FreePort();

    public string Folder { get; } = Directory.CreateTempSubdirectory("meshl4-test-").FullName;

    public string LogPath => Path.Combine(Folder, "access.log");

    /// <summary>Address the listeners bind; loopback unless a test lives in a namespace of its own.</summary>
    public string ListenAddress { get; init; } = "127.0.0.1";

    /// <summary>A program with codecs of its own in place of the proxy's.</summary>
    public string? Program { get; init; }

    /// <summary>Event loops; one where clients have to meet on it.</summary>
    public int Concurrency { get; init; } = 2;

    /// <summary>What connections have when the proxy is to end.</summary>
    public int DrainSeconds { get; init; } = 2;

    /// <summary>The node says DNS_CAPTURE, as Istio's agents have it say.</summary>
    public bool CapturesDns { get; init; }

    public static string TlsInspector => Inspector("tls_inspector", "TlsInspector");

    public static string HttpInspector => Inspector("http_inspector", "HttpInspector");

    public static string ProxyProtocol => Inspector("proxy_protocol", "ProxyProtocol");

    public static string TcpProxy(string cluster, string more = "") =>
        Filter("tcp_proxy.v3.TcpProxy", $"stat_prefix: {cluster}, cluster: {cluster}{more}");

    public static string RedisProxy(string cluster, string timeout = "3s") => Filter(
        "redis_proxy.v3.RedisProxy", $"stat_prefix: r, settings: {{op_timeout: {timeout}}}, prefix_routes: {{catch_all_route: {{cluster: {cluster}}}}}");

    /// <summary>Requests of a protocol by the common message.</summary>
    /// <param name="codec">Name of the codec.</param>
    /// <param name="routes">Members of the list of routes.</param>
    /// <param name="more">Further members of the message.</param>
    public static string XRpcProxy(string codec, string routes, string more = "") =>
        $"{{name: f, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: {codec}, codec: {codec}, route_config: {{routes: [{routes}]}}{more}}}}}";

    public static string HttpManager() => Filter("http_connection_manager.v3.HttpConnectionManager", "stat_prefix: h");

    public static string DirectResponse(string text) => Filter("direct_response.v3.Config", $"response: {{inline_string: '{text}'}}");

    /// <summary>A port that nobody else has, or is given.</summary>
    public static int FreePort() => FreePorts.Next();

    /// <summary>A TCP listener with one chain; its port.</summary>
    public int Listener(string name, string filter, string more = "", int? port = null) =>
        ListenerWithChains(name, $"filter_chains: [{{filters: [{filter}]}}]{more}", port);

    public int ListenerWithChains(string name, string chains, int? port = null)
    {
        int bound = port ?? FreePort();
        _listeners.AppendLine(
            CultureInfo.InvariantCulture,
            $"  - {{name: {name}, address: {{socket_address: {{address: {ListenAddress}, port_value: {bound}}}}}, access_log: [{Log}], {chains}}}");
        return bound;
    }

    public int UdpListener(string name, string cluster)
    {
        int port = FreePort();
        _listeners.AppendLine(
            CultureInfo.InvariantCulture,
            $"  - {{name: {name}, address: {{socket_address: {{protocol: UDP, address: {ListenAddress}, port_value: {port}}}}}, listener_filters: [{{name: u, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: u, cluster: {cluster}, idle_timeout: 6s, access_log: [{Log}]}}}}]}}");
        return port;
    }

    public void Cluster(string name, EndPoint endpoint, string connectTimeout = "10s") => Cluster(name, [(IPEndPoint)endpoint], connectTimeout: connectTimeout);

    /// <summary>A static cluster.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="endpoints">Its servers.</param>
    /// <param name="thresholds">Members of the circuit breaker's thresholds.</param>
    /// <param name="connectTimeout">A duration.</param>
    public void Cluster(string name, IPEndPoint[] endpoints, string thresholds = "max_connections: 100000", string connectTimeout = "10s")
    {
        string members = string.Join(", ", endpoints.Select(static ip => $"{{endpoint: {{address: {{socket_address: {{address: {ip.Address}, port_value: {ip.Port}}}}}}}}}"));
        _clusters.AppendLine(
            CultureInfo.InvariantCulture,
            $"  - {{name: {name}, type: STATIC, connect_timeout: {connectTimeout}, circuit_breakers: {{thresholds: [{{{thresholds}}}]}}, load_assignment: {{cluster_name: {name}, endpoints: [{{lb_endpoints: [{members}]}}]}}}}");
    }

    public void OriginalDestinationCluster(string name) =>
        _clusters.AppendLine(CultureInfo.InvariantCulture, $"  - {{name: {name}, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, connect_timeout: 10s}}");

    /// <summary>HTTP goes to this cluster; without a call it goes to the original destination.</summary>
    public void Engine(string cluster, string version = "V2") => _extensions +=
        $"- name: meshl4.http_handoff\n  typed_config: {{'@type': type.googleapis.com/meshl4.bootstrap.v1.HttpHandoff, cluster: {cluster}, proxy_protocol: {version}}}\n";

    /// <summary>Listeners, clusters and endpoints come over one aggregated stream.</summary>
    /// <param name="api"><c>GRPC</c> or <c>DELTA_GRPC</c>.</param>
    /// <param name="ports">Ports on loopback, one a server, the preferred first.</param>
    public void Ads(string api, params int[] ports)
    {
        for (int i = 0; i < ports.Length; i++)
        {
            Cluster("xds" + i, new IPEndPoint(IPAddress.Loopback, ports[i]));
        }

        string services = string.Join(", ", Enumerable.Range(0, ports.Length).Select(i => $"{{envoy_grpc: {{cluster_name: xds{i}}}}}"));
        Dynamic($"ads_config: {{api_type: {api}, transport_api_version: V3, grpc_services: [{services}]}}, cds_config: {{ads: {{}}, resource_api_version: V3}}, lds_config: {{ads: {{}}, resource_api_version: V3}}");
    }

    /// <summary>The one secret of the bootstrap.</summary>
    public void Secret(string secret) => _secrets = secret;

    /// <summary>A cluster as it is to stand in the bootstrap.</summary>
    public void RawCluster(string cluster) => _clusters.AppendLine(CultureInfo.InvariantCulture, $"  - {cluster}");

    /// <summary>A bootstrap extension with these members.</summary>
    public void Extension(string name, string members) => _extensions += $"- name: meshl4.{name}\n  typed_config: {{{members}}}\n";

    /// <summary>The members of <c>dynamic_resources</c>.</summary>
    public void Dynamic(string members) => _dynamic = $"node: {{id: sidecar~10.0.0.1~p.ns~ns.svc.cluster.local, cluster: p.ns, metadata: {{NAMESPACE: ns{(CapturesDns ? ", DNS_CAPTURE: 'true'" : "")}}}}}\ndynamic_resources: {{{members}}}\n";

    public override string ToString() =>
        $"admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {AdminPort}}}}}}}\n{_extensions}{_dynamic}static_resources:\n  secrets: [{_secrets}]\n  listeners:\n{_listeners}  clusters:\n{_clusters}";

    /// <summary>The access log of every listener.</summary>
    public string Log => "{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: "
        + LogPath
        + ", log_format: {json_format: {listener: '%MESHL4_LISTENER%', flags: '%RESPONSE_FLAGS%', by: '%MESHL4_ENDED_BY%', details: '%CONNECTION_TERMINATION_DETAILS%',"
        + " received: '%BYTES_RECEIVED%', sent: '%BYTES_SENT%', remote: '%DOWNSTREAM_REMOTE_ADDRESS%', direct: '%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%', local: '%DOWNSTREAM_LOCAL_ADDRESS%'}}}}";

    private static string Filter(string type, string fields) => $"{{name: f, typed_config: {{'@type': {Network}{type}, {fields}}}}}";

    private static string Inspector(string name, string type) =>
        $"{{name: envoy.filters.listener.{name}, typed_config: {{'@type': {ListenerFilter}{name}.v3.{type}}}}}";
}

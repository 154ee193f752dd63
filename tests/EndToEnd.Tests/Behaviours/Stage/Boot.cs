using System.Text;

namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>Writes an Envoy bootstrap. Pieces are YAML in flow style; <c>more</c> continues the mapping it is put into.</summary>
internal sealed class Boot
{
    private const string Types = "type.googleapis.com/envoy.";

    /// <summary>For what never comes about: a machine that stands still for seconds has connections time out that the kernel made.</summary>
    private const string ConnectTimeout = "20s";

    private readonly List<string> _listeners = [];
    private readonly List<string> _clusters = [];
    private readonly List<string> _extensions = [];
    private readonly StringBuilder _more = new();

    public int AdminPort { get; init; } = Ports.Free();

    public string Node { get; init; } = "{id: test, cluster: test}";

    /// <summary>The two ports on all addresses are off, so that many proxies run side by side.</summary>
    public bool PublicPorts { get; init; }

    /// <summary>From when on a loop gives clients away; null for what a proxy does by itself, 0 where clients have to stay on several loops.</summary>
    public int? BusyLoopPercent { get; init; }

    /// <summary>An access log on standard output, one <c>key=value</c> a field.</summary>
    public static string Log => $$"""
        access_log: [{name: log, typed_config: {'@type': {{Types}}extensions.access_loggers.file.v3.FileAccessLog, path: /dev/stdout, log_format: {text_format_source: {inline_string: "listener=%MESHL4_LISTENER% chain=%FILTER_CHAIN_NAME% remote=%DOWNSTREAM_REMOTE_ADDRESS% direct=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS% local=%DOWNSTREAM_LOCAL_ADDRESS% cluster=%UPSTREAM_CLUSTER% host=%UPSTREAM_HOST% from=%UPSTREAM_LOCAL_ADDRESS% flags=%RESPONSE_FLAGS% details=%CONNECTION_TERMINATION_DETAILS% failure=%UPSTREAM_TRANSPORT_FAILURE_REASON% ended=%MESHL4_ENDED_BY% in=%BYTES_RECEIVED% out=%BYTES_SENT% attempts=%UPSTREAM_REQUEST_ATTEMPT_COUNT% sni=%REQUESTED_SERVER_NAME% alpn=%MESHL4_APPLICATION_PROTOCOLS% transport=%MESHL4_TRANSPORT_PROTOCOL% end\n" } } } }]
        """;

    public static string Listener(string name, string address, int port, string chains, string more = "", string socket = "") =>
        $"{{'@type': {Types}config.listener.v3.Listener, name: {name}, address: {{socket_address: {{address: '{address}', port_value: {port}{socket}}}}}, filter_chains: [{chains}], {Log}{more}}}";

    public static string Chain(string filter, string match = "", string name = "") =>
        $"{{name: '{name}', filters: [{filter}], filter_chain_match: {{{match}}}}}";

    /// <summary>tcp_proxy to a cluster; with an empty name <paramref name="more"/> says where.</summary>
    public static string Tcp(string cluster, string more = "") =>
        $"{{name: tcp, typed_config: {{'@type': {Types}extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, {(cluster.Length == 0 ? "" : $"cluster: {cluster}, ")}{Log}{more}}}}}";

    public static string Hcm() =>
        $"{{name: hcm, typed_config: {{'@type': {Types}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: h, {Log}}}}}";

    /// <summary>Envoy's message for Redis.</summary>
    /// <param name="routes">Members of its prefix routes.</param>
    /// <param name="timeout">What an answer may take.</param>
    public static string Redis(string routes, string timeout = "5s") =>
        $"{{name: redis, typed_config: {{'@type': {Types}extensions.filters.network.redis_proxy.v3.RedisProxy, stat_prefix: r, settings: {{op_timeout: {timeout}}}, prefix_routes: {{{routes}}}}}}}";

    /// <summary>Redis by the common message of all RPC protocols, with the stat prefix <c>x</c>.</summary>
    /// <param name="routes">Members of the list of routes.</param>
    /// <param name="more">Further members of the message, with a comma in front.</param>
    public static string XRpc(string routes, string more = "") =>
        $"{{name: x, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: x, codec: redis, route_config: {{name: r, routes: [{routes}]}}{more}}}}}";

    /// <summary>An element of listener_filters: tls_inspector, http_inspector, proxy_protocol or original_dst.</summary>
    public static string Inspector(string name, string more = "")
    {
        string type = string.Concat(name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word[1..]));
        return $"{{name: envoy.filters.listener.{name}, typed_config: {{'@type': {Types}extensions.filters.listener.{name}.v3.{type}}}{more}}}";
    }

    /// <summary>A cluster with endpoints <c>address:port</c>, <c>[v6]:port</c> or a Unix path.</summary>
    public static string Cluster(string name, string[] endpoints, string more = "", string type = "STATIC") =>
        $"{{'@type': {Types}config.cluster.v3.Cluster, name: {name}, type: {type}, connect_timeout: {ConnectTimeout}, load_assignment: {Assignment(name, endpoints)}{more}}}";

    public static string OriginalDst(string name, string more = "") =>
        $"{{'@type': {Types}config.cluster.v3.Cluster, name: {name}, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, connect_timeout: {ConnectTimeout}{more}}}";

    public static string Assignment(string cluster, params string[] endpoints) =>
        $"{{cluster_name: {cluster}, endpoints: [{{lb_endpoints: [{string.Join(", ", endpoints.Select(Endpoint))}]}}]}}";

    /// <summary>The text of a file of resources.</summary>
    public static string Resources(string version, params string[] resources) =>
        $"version_info: '{version}'\nresources: [{string.Join(",\n ", resources)}]\n";

    public Boot Listen(string name, int port, string chains, string more = "", string address = "127.0.0.1", string socket = "")
    {
        _listeners.Add(Untyped(Listener(name, address, port, chains, more, socket)));
        return this;
    }

    /// <summary>A UDP listener with a udp_proxy to a cluster.</summary>
    public Boot ListenUdp(string name, int port, string cluster, string more = "", string address = "127.0.0.1", string idle = "60s", string socket = "")
    {
        _listeners.Add($"{{name: {name}, address: {{socket_address: {{protocol: UDP, address: '{address}', port_value: {port}{socket}}}}}, listener_filters: [{{name: udp, typed_config: {{'@type': {Types}extensions.filters.udp.udp_proxy.v3.UdpProxyConfig, stat_prefix: {name}, cluster: {cluster}, idle_timeout: {idle}, {Log}}}}}]{more}}}");
        return this;
    }

    public Boot With(params string[] clusters)
    {
        _clusters.AddRange(clusters.Select(Untyped));
        return this;
    }

    public Boot HandOff(string cluster, string version)
    {
        _extensions.Add($"{{name: meshl4.http_handoff, typed_config: {{'@type': type.googleapis.com/meshl4.bootstrap.v1.HttpHandoff, cluster: {cluster}, proxy_protocol: {version}}}}}");
        return this;
    }

    /// <summary>Adds a bootstrap extension of ours.</summary>
    public Boot Extension(string type, string members)
    {
        _extensions.Add($"{{name: meshl4.{type}, typed_config: {{'@type': type.googleapis.com/meshl4.bootstrap.v1.{type}, {members}}}}}");
        return this;
    }

    /// <summary>Rules that have a codec read chains of tcp_proxy.</summary>
    public Boot CodecRules(string rules)
    {
        _extensions.Add($"{{name: meshl4.codecs, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.CodecRules, rules: [{rules}]}}}}");
        return this;
    }

    /// <summary>Adds top-level fields.</summary>
    public Boot More(string yaml)
    {
        _more.AppendLine(yaml);
        return this;
    }

    public Boot Files(string? listeners = null, string? clusters = null)
    {
        string lds = listeners is null ? "" : $"lds_config: {{path_config_source: {{path: '{listeners}'}}}}, ";
        string cds = clusters is null ? "" : $"cds_config: {{path_config_source: {{path: '{clusters}'}}}}";
        return More($"dynamic_resources: {{{lds}{cds}}}");
    }

    public override string ToString()
    {
        string busy = BusyLoopPercent is { } percent ? $", busy_loop_percent: {percent}" : "";
        string own = PublicPorts ? "" : $"{{name: meshl4.proxy, typed_config: {{'@type': type.googleapis.com/meshl4.bootstrap.v1.ProxyOptions, readiness_port: 0, prometheus_port: 0{busy}}}}}";
        return $$"""
            node: {{Node}}
            admin: {address: {socket_address: {address: 127.0.0.1, port_value: {{AdminPort}} } } }
            bootstrap_extensions: [{{string.Join(", ", _extensions.Append(own).Where(e => e.Length > 0))}}]
            static_resources:
              listeners: [{{string.Join(",\n    ", _listeners)}}]
              clusters: [{{string.Join(",\n    ", _clusters)}}]
            {{_more}}
            """;
    }

    private static string Endpoint(string at)
    {
        int colon = at.LastIndexOf(':');
        string address = at.StartsWith('/')
            ? $"pipe: {{path: '{at}'}}"
            : $"socket_address: {{address: '{at[..colon].Trim('[', ']')}', port_value: {at[(colon + 1)..]}}}";
        return $"{{endpoint: {{address: {{{address}}}}}}}";
    }

    /// <summary>Static resources carry no type.</summary>
    private static string Untyped(string resource) => "{" + resource[(resource.IndexOf(", ", StringComparison.Ordinal) + 2)..];
}

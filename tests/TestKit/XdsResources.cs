using System.Net;
using System.Text.Json.Nodes;

namespace MeshL4.TestKit;

/// <summary>Resources as the foreign control plane takes them: JSON with the API's own field names.</summary>
internal static class XdsResources
{
    private const string Config = "envoy.config.";

    /// <summary>A TCP listener on loopback with one chain to a cluster.</summary>
    public static JsonObject Listener(string name, int port, string cluster) => new()
    {
        ["@type"] = Config + "listener.v3.Listener",
        ["name"] = name,
        ["address"] = Address(new IPEndPoint(IPAddress.Loopback, port)),
        ["filter_chains"] = new JsonArray(new JsonObject
        {
            ["name"] = "chain of " + name,
            ["filters"] = new JsonArray(new JsonObject
            {
                ["name"] = "tcp",
                ["typed_config"] = new JsonObject
                {
                    ["@type"] = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", ["stat_prefix"] = name, ["cluster"] = cluster,
                },
            }),
        }),
    };

    /// <summary>An EDS cluster over the aggregated stream.</summary>
    public static JsonObject EdsCluster(string name, string? service = null) => new()
    {
        ["@type"] = Config + "cluster.v3.Cluster",
        ["name"] = name,
        ["type"] = "EDS",
        ["connect_timeout"] = new JsonObject { ["seconds"] = 10 },
        ["eds_cluster_config"] = new JsonObject
        {
            ["service_name"] = service ?? "", ["eds_config"] = new JsonObject { ["ads"] = new JsonObject(), ["resource_api_version"] = "V3" },
        },
    };

    /// <summary>Endpoints of a service.</summary>
    public static JsonObject Endpoints(string name, params EndPoint[] endpoints) => new()
    {
        ["@type"] = Config + "endpoint.v3.ClusterLoadAssignment",
        ["cluster_name"] = name,
        ["endpoints"] = new JsonArray(new JsonObject
        {
            ["lb_endpoints"] = new JsonArray([.. endpoints.Select(e => new JsonObject { ["endpoint"] = new JsonObject { ["address"] = Address((IPEndPoint)e) } })]),
        }),
    };

    /// <summary>The name table: hosts and their addresses. A host below <c>svc.cluster.local</c> is a Kubernetes service.</summary>
    public static JsonObject NameTable(params (string Host, string[] Ips)[] hosts)
    {
        var table = new JsonObject();
        foreach ((string host, string[] ips) in hosts)
        {
            string[] labels = host.Split('.');
            bool service = host.EndsWith(".svc.cluster.local", StringComparison.Ordinal);
            table[host] = new JsonObject
            {
                ["ips"] = new JsonArray([.. ips.Select(ip => (JsonNode)ip)]), ["registry"] = service ? "Kubernetes" : "External",
                ["shortname"] = service ? string.Join('.', labels[..^4]) : "", ["namespace"] = service ? labels[^4] : "",
            };
        }

        return new JsonObject { ["@type"] = "istio.networking.nds.v1.NameTable", ["table"] = table };
    }

    /// <summary>A STATIC cluster with one endpoint.</summary>
    public static JsonObject StaticCluster(string name, EndPoint endpoint)
    {
        JsonObject assignment = Endpoints(name, endpoint);
        assignment.Remove("@type");
        return new JsonObject
        {
            ["@type"] = Config + "cluster.v3.Cluster", ["name"] = name, ["type"] = "STATIC",
            ["connect_timeout"] = new JsonObject { ["seconds"] = 10 }, ["load_assignment"] = assignment,
        };
    }

    /// <summary>A listener whose one chain is HTTP with routes of this name over the aggregated stream.</summary>
    public static JsonObject HttpListener(string name, int port, string routes, double firstFetchSeconds = 0, params JsonNode[] httpFilters)
    {
        JsonObject source = Ads(firstFetchSeconds);
        return WithFilters(Listener(name, port, ""), new JsonObject
        {
            ["name"] = "http",
            ["typed_config"] = new JsonObject
            {
                ["@type"] = Network + "http_connection_manager.v3.HttpConnectionManager", ["stat_prefix"] = name,
                ["rds"] = new JsonObject { ["route_config_name"] = routes, ["config_source"] = source },
                ["http_filters"] = new JsonArray([.. httpFilters]),
            },
        });
    }

    /// <summary>A listener with these filters in its one chain.</summary>
    public static JsonObject WithFilters(JsonObject listener, params JsonNode[] filters)
    {
        listener["filter_chains"]![0]!["filters"] = new JsonArray([.. filters]);
        return listener;
    }

    /// <summary>tcp_proxy as a filter.</summary>
    public static JsonObject TcpProxy(string cluster) => new() { ["name"] = "tcp", ["typed_config"] = TcpProxySettings(cluster) };

    /// <summary>The settings of tcp_proxy.</summary>
    public static JsonObject TcpProxySettings(string cluster)
        => new() { ["@type"] = Network + "tcp_proxy.v3.TcpProxy", ["stat_prefix"] = "t", ["cluster"] = cluster };

    /// <summary>The settings of a network RBAC filter that denies, or allows, everybody.</summary>
    public static JsonObject RbacSettings(string action, string statPrefix = "r") => new()
    {
        ["@type"] = Network + "rbac.v3.RBAC",
        ["stat_prefix"] = statPrefix,
        ["rules"] = new JsonObject
        {
            ["action"] = action,
            ["policies"] = new JsonObject
            {
                ["all"] = new JsonObject
                {
                    ["permissions"] = new JsonArray(new JsonObject { ["any"] = true }), ["principals"] = new JsonArray(new JsonObject { ["any"] = true }),
                },
            },
        },
    };

    /// <summary>A network filter whose settings come over the aggregated stream under its name.</summary>
    public static JsonObject DiscoveredFilter(string name, double firstFetchSeconds, params string[] types) => new()
    {
        ["name"] = name,
        ["config_discovery"] = new JsonObject
        {
            ["config_source"] = Ads(firstFetchSeconds), ["type_urls"] = new JsonArray([.. types.Select(type => (JsonNode)(Network + type))]),
        },
    };

    /// <summary>Settings under a name.</summary>
    public static JsonObject Extension(string name, JsonObject settings)
        => new() { ["@type"] = Config + "core.v3.TypedExtensionConfig", ["name"] = name, ["typed_config"] = settings };

    /// <summary>A chain that asks for TLS with a certificate of this name over the aggregated stream, beside what <paramref name="listener"/> has.</summary>
    public static JsonObject WithTlsChain(JsonObject listener, string secret, JsonObject source, bool alone = false)
    {
        JsonObject chain = (JsonObject)listener["filter_chains"]![0]!.DeepClone();
        chain["name"] = "tls of " + listener["name"];
        chain["filter_chain_match"] = new JsonObject { ["transport_protocol"] = "tls" };
        chain["transport_socket"] = new JsonObject
        {
            ["name"] = "envoy.transport_sockets.tls",
            ["typed_config"] = new JsonObject
            {
                ["@type"] = Tls + "DownstreamTlsContext",
                ["common_tls_context"] = new JsonObject
                {
                    ["tls_certificate_sds_secret_configs"] = new JsonArray(new JsonObject { ["name"] = secret, ["sds_config"] = source }),
                },
            },
        };
        listener["filter_chains"]!.AsArray().Add(chain);
        if (alone)
        {
            listener["filter_chains"]!.AsArray().RemoveAt(0);
        }

        return listener;
    }

    /// <summary>A certificate with its key, from PEM.</summary>
    public static JsonObject Certificate(string name, string chain, string key) => new()
    {
        ["@type"] = Tls["type.googleapis.com/".Length..] + "Secret",
        ["name"] = name,
        ["tls_certificate"] = new JsonObject
        {
            ["certificate_chain"] = new JsonObject { ["inline_string"] = chain }, ["private_key"] = new JsonObject { ["inline_string"] = key },
        },
    };

    private const string Tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.";

    /// <summary>A route configuration with one virtual host.</summary>
    public static JsonObject HttpRoutes(string name, string domain = "*") => new()
    {
        ["@type"] = Config + "route.v3.RouteConfiguration",
        ["name"] = name,
        ["virtual_hosts"] = new JsonArray(new JsonObject { ["name"] = "host of " + name, ["domains"] = new JsonArray(domain) }),
    };

    /// <summary>The aggregated stream as a source.</summary>
    public static JsonObject Ads(double firstFetchSeconds) => new()
    {
        ["ads"] = new JsonObject(),
        ["resource_api_version"] = "V3",
        ["initial_fetch_timeout"] = new JsonObject { ["seconds"] = (int)firstFetchSeconds, ["nanos"] = (int)((firstFetchSeconds % 1) * 1e9) },
    };

    private const string Network = "type.googleapis.com/envoy.extensions.filters.network.";

    private static JsonObject Address(IPEndPoint address) => new()
    {
        ["socket_address"] = new JsonObject { ["address"] = address.Address.ToString(), ["port_value"] = address.Port },
    };
}

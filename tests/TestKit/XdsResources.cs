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
        ["connect_timeout"] = new JsonObject { ["seconds"] = 1 },
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
            ["connect_timeout"] = new JsonObject { ["seconds"] = 1 }, ["load_assignment"] = assignment,
        };
    }

    private static JsonObject Address(IPEndPoint address) => new()
    {
        ["socket_address"] = new JsonObject { ["address"] = address.Address.ToString(), ["port_value"] = address.Port },
    };
}

using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.Tree;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.EndToEnd.Tests.Istio;

/// <summary>
/// A mesh as istiod describes it to one sidecar: the resources of this folder, and services made after the one of them that has
/// everything (a listener of its own that binds nothing, automatic mutual TLS by endpoint, localities with priorities).
/// </summary>
internal sealed class IstioWorld
{
    public const string ListenerType = "envoy.config.listener.v3.Listener", ClusterType = "envoy.config.cluster.v3.Cluster";
    public const string EndpointsType = "envoy.config.endpoint.v3.ClusterLoadAssignment";
    private const string Model = "plain.default.svc.cluster.local", ModelAddress = "10.97.0.10";

    private readonly JsonNode[] _listeners = Read("lds.yaml"), _clusters = Read("cds.yaml"), _endpoints = Read("eds.yaml");

    /// <summary>Listeners, clusters and endpoints of the folder, and the routes they name.</summary>
    public IEnumerable<JsonNode> Base() => [.. _listeners, .. _clusters, .. _endpoints, Routes("8080")];

    /// <summary>What nobody else answers on: the address of a service.</summary>
    public static string Address(int service) => $"10.97.{1 + (service / 250)}.{1 + (service % 250)}";

    public static string ClusterName(int service) => $"outbound|9000||{Host(service)}";

    public static string ListenerName(int service) => $"{Address(service)}_9000";

    /// <summary>Listener, cluster and endpoints of a service on port 9000.</summary>
    public IEnumerable<JsonNode> Service(int service, params int[] ports) =>
    [
        Like(_clusters, $"outbound|9000||{Model}", service), Like(_listeners, $"{ModelAddress}_9000", service), Endpoints(service, ports),
    ];

    /// <summary>Plain endpoints of a service outside the pod, beside one that speaks mutual TLS and one in a farther locality.</summary>
    public JsonNode Endpoints(int service, params int[] ports)
    {
        JsonNode assignment = Like(_endpoints, $"outbound|9000||{Model}", service);
        JsonArray near = assignment["endpoints"]![0]!["lb_endpoints"]!.AsArray();
        JsonNode plain = near[0]!;
        near.RemoveAt(0);
        foreach (int port in ports)
        {
            JsonNode one = plain.DeepClone();
            one["endpoint"]!["address"]!["socket_address"]!["port_value"] = port;
            near.Add(one);
        }

        return assignment;
    }

    /// <summary>A listener of the folder, to be changed.</summary>
    public JsonNode Listener(string name) => Named(_listeners, name).DeepClone();

    private static string Host(int service) => $"svc-{service}.ns-{service % 20}.svc.cluster.local";

    private static JsonNode Like(JsonNode[] resources, string model, int service) => JsonNode.Parse(
        Named(resources, model).ToJsonString().Replace(Model, Host(service), StringComparison.Ordinal).Replace(ModelAddress, Address(service), StringComparison.Ordinal))!;

    private static JsonNode Named(JsonNode[] resources, string name) => resources.Single(r => (string?)(r["name"] ?? r["cluster_name"]) == name);

    private static JsonObject Routes(string name) => new()
    {
        ["@type"] = "envoy.config.route.v3.RouteConfiguration", ["name"] = name, ["validate_clusters"] = false,
        ["virtual_hosts"] = new JsonArray(new JsonObject
        {
            ["name"] = "allow_any", ["domains"] = new JsonArray("*"),
            ["routes"] = new JsonArray(new JsonObject
            {
                ["match"] = new JsonObject { ["prefix"] = "/" }, ["route"] = new JsonObject { ["cluster"] = "PassthroughCluster", ["timeout"] = "0s" },
            }),
        }),
    };

    private static JsonNode[] Read(string file)
    {
        string text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Istio", file))
            .Replace("path_config_source: {path: $DIR/eds.yaml}", "ads: {}", StringComparison.Ordinal)
            .Replace("  dns_jitter: 0.100s\n", "", StringComparison.Ordinal); // newer than the protos of the control plane
        var scope = new IssueScope(new IssueCollector(), file, ConfigSourceKind.File);
        var tree = (ConfigMapping)YamlTree.Parse(Encoding.UTF8.GetBytes(text), scope)!;
        return [.. JsonNode.Parse(JsonFormatter.Default.Format(StructTree.ToStruct(tree)))!["resources"]!.AsArray().Select(r => r!.DeepClone())];
    }
}

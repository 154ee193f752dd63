using System.Text.Json.Nodes;

namespace MeshL4.L4Proxy.Tests.Config.Examples;

/// <summary>A bootstrap with files made of what a configuration dump of an Envoy holds: its listeners, clusters and endpoints.</summary>
internal static class ConfigDump
{
    private const string Listener = "listener", Cluster = "cluster", Endpoints = "endpoint_config";

    /// <summary>Whether an entry of a dump has resources this makes files of.</summary>
    public static bool Holds(JsonNode? entry) => entry is JsonObject && Of(entry, Listener).Concat(Of(entry, Cluster)).Concat(Of(entry, Endpoints)).Any();

    /// <summary>The text of the bootstrap; the files are written to <paramref name="into"/>.</summary>
    public static string Bootstrap(JsonObject dump, ConfigFolder into)
    {
        JsonNode?[] entries = [.. dump["configs"]!.AsArray()];
        JsonNode[] endpoints = [.. entries.SelectMany(e => Of(e, Endpoints))];
        Write(into, "lds.json", entries.SelectMany(e => Of(e, Listener)));
        Write(into, "eds.json", endpoints.Where(static e => e["cluster_name"] is not null));
        Write(into, "cds.json", entries.SelectMany(e => Of(e, Cluster)).Concat(endpoints.Select(e => (string?)e["cluster_name"]).OfType<string>().Select(name => Eds(name, into))));
        return $$"""
            {"node": {"id": "sidecar~10.0.0.1~p.ns~ns.svc.cluster.local", "cluster": "p"},
             "dynamic_resources": {
               "ads_config": {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [{"google_grpc": {"target_uri": "127.0.0.1:9", "stat_prefix": "x"} }]},
               "lds_config": {"path_config_source": {"path": "{{into.Path("lds.json")}}"} }, "cds_config": {"path_config_source": {"path": "{{into.Path("cds.json")}}"} } } }
            """;
    }

    private static IEnumerable<JsonNode> Of(JsonNode? entry, string what) => Leaves(entry, "static_" + what + "s", what)
        .Concat(Leaves(entry, "dynamic_" + what + "s", "active_state", what))
        .Concat(Leaves(entry, "dynamic_active_" + what + "s", what))
        .Concat(Leaves(entry, "dynamic_" + what + "s", what));

    private static IEnumerable<JsonNode> Leaves(JsonNode? entry, string list, params string[] members)
        => (entry?[list] as JsonArray ?? []).Select(one => members.Aggregate(one, static (node, member) => node?[member])).OfType<JsonNode>();

    private static JsonObject Eds(string name, ConfigFolder into) => new()
    {
        ["@type"] = "type.googleapis.com/envoy.config.cluster.v3.Cluster",
        ["name"] = "endpoints of " + name,
        ["type"] = "EDS",
        ["eds_cluster_config"] = new JsonObject
        {
            ["service_name"] = name, ["eds_config"] = new JsonObject { ["path_config_source"] = new JsonObject { ["path"] = into.Path("eds.json") } },
        },
    };

    private static void Write(ConfigFolder into, string name, IEnumerable<JsonNode> resources)
        => into.Write(name, new JsonObject { ["version_info"] = "1", ["resources"] = new JsonArray([.. resources.Select(r => r.DeepClone())]) }.ToJsonString());
}

using System.Net;
using System.Text.Json.Nodes;
using MeshL4.TestKit;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>What gRPC clients ask a control plane for: an API listener, its routes, and endpoints with a weighted locality.</summary>
internal static class GrpcResources
{
    private const string Filters = "type.googleapis.com/envoy.extensions.filters.";

    /// <summary>The listener a gRPC client asks for by the name of its target.</summary>
    public static JsonObject ApiListener(string name, string routes) => new()
    {
        ["@type"] = "envoy.config.listener.v3.Listener",
        ["name"] = name,
        ["api_listener"] = new JsonObject
        {
            ["api_listener"] = new JsonObject
            {
                ["@type"] = Filters + "network.http_connection_manager.v3.HttpConnectionManager",
                ["rds"] = new JsonObject
                {
                    ["route_config_name"] = routes, ["config_source"] = new JsonObject { ["ads"] = new JsonObject(), ["resource_api_version"] = "V3" },
                },
                ["http_filters"] = new JsonArray(new JsonObject
                {
                    ["name"] = "router", ["typed_config"] = new JsonObject { ["@type"] = Filters + "http.router.v3.Router" },
                }),
            },
        },
    };

    /// <summary>Routes of all hosts and methods to one cluster.</summary>
    public static JsonObject Routes(string name, string cluster) => new()
    {
        ["@type"] = "envoy.config.route.v3.RouteConfiguration",
        ["name"] = name,
        ["virtual_hosts"] = new JsonArray(new JsonObject
        {
            ["name"] = "all", ["domains"] = new JsonArray("*"),
            ["routes"] = new JsonArray(new JsonObject
            {
                ["match"] = new JsonObject { ["prefix"] = "" }, ["route"] = new JsonObject { ["cluster"] = cluster },
            }),
        }),
    };

    /// <summary>Endpoints of one locality with a weight: gRPC leaves out localities without one.</summary>
    public static JsonObject WeightedEndpoints(string name, int port)
    {
        JsonObject assignment = XdsResources.Endpoints(name, new IPEndPoint(IPAddress.Loopback, port));
        JsonNode locality = assignment["endpoints"]![0]!;
        locality["locality"] = new JsonObject { ["region"] = "r", ["zone"] = "z" };
        locality["load_balancing_weight"] = new JsonObject { ["value"] = 1 };
        locality["lb_endpoints"]![0]!["health_status"] = "HEALTHY";
        return assignment;
    }
}

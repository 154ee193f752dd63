using System.Text.Json.Nodes;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.GrpcResources;
using static MeshL4.TestKit.XdsResources;
using Node = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.Node;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>
/// Clients that are not ours prove the control plane of these tests: what drives the proxy drives gRPC's own two implementations of xDS,
/// so a proxy that agrees with it agrees with them.
/// </summary>
public sealed class StrangerClientTests
{
    private const string Target = "xds:///service";
    private const string ClusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

    [Theory]
    [InlineData("grpc-js-xds")]
    [InlineData("python3-grpcio")]
    public async Task Client_FollowsListenersRoutesClustersAndEndpoints_ToARealServer(string library)
    {
        await using GrpcPeer blue = await GrpcPeer.ServerAsync("blue"), teal = await GrpcPeer.ServerAsync("teal");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", ApiListener("service", "r"), Routes("r", "c"), EdsCluster("c"), WeightedEndpoints("c", blue.Port));
        await using GrpcPeer client = GrpcPeer.Client(library, plane);
        await client.AnswersAsync(Target, "blue x", plane);
        string[] types = ["Listener", "RouteConfiguration", "Cluster", "ClusterLoadAssignment"];
        foreach (string type in types)
        {
            await plane.RequestAsync("." + type, r => (string?)r["version_info"] == "1" && r["error_detail"] is null, $"{type} is acknowledged");
        }

        plane.Requests().Select(r => ((string)r["type_url"]!).Split('.')[^1]).Distinct().ShouldBe(types, library);

        plane.Set("2", ApiListener("service", "r"), Routes("r", "c"), EdsCluster("c"), WeightedEndpoints("c", teal.Port));
        await client.AnswersAsync(Target, "teal x", plane);

        plane.Set("3", ApiListener("service", "r"), Routes("r", "d"), EdsCluster("d", "other"), WeightedEndpoints("other", blue.Port));
        await client.AnswersAsync(Target, "blue x", plane);
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("grpc-js-xds")]
    [InlineData("python3-grpcio")]
    public async Task Client_RefusesABadResource_AndServesOnWithTheGoodOne(string library)
    {
        await using GrpcPeer blue = await GrpcPeer.ServerAsync("blue");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", ApiListener("service", "r"), Routes("r", "c"), EdsCluster("c"), WeightedEndpoints("c", blue.Port));
        await using GrpcPeer client = GrpcPeer.Client(library, plane);
        await client.AnswersAsync(Target, "blue x", plane);

        JsonObject bad = EdsCluster("c");
        bad["lb_policy"] = "CLUSTER_PROVIDED";
        plane.Set("2", ApiListener("service", "r"), Routes("r", "c"), bad, WeightedEndpoints("c", blue.Port));
        JsonNode refusal = await plane.RequestAsync(".Cluster", r => r["error_detail"] is not null, "the cluster is refused");
        ((string?)refusal["error_detail"]!["message"]).ShouldNotBeNullOrEmpty();
        ((string?)refusal["version_info"]).ShouldBe("1", "a refusal names the version that stays");
        (await client.CallAsync(Target)).ShouldBe("blue x");
    }

    [Fact]
    public async Task DeltaStream_OfTheCCore_SeesChangesRemovalsAndSubscriptions()
    {
        using Peer blue = Peer.Banner("blue "), teal = Peer.Banner("teal ");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", StaticCluster("a", blue.Address), StaticCluster("b", blue.Address), Endpoints("s", blue.Address), Endpoints("t", blue.Address));
        await using JsonProcess carrier = GrpcPeer.Carrier();
        Open(carrier, plane);
        Send(carrier, new DeltaDiscoveryRequest { Node = new Node { Id = "carrier" }, TypeUrl = ClusterType });
        DeltaDiscoveryResponse first = await ResponseAsync(carrier, 0);
        first.Resources.Select(r => r.Name).Order().ShouldBe(["a", "b"]);
        Send(carrier, new DeltaDiscoveryRequest { TypeUrl = ClusterType, ResponseNonce = first.Nonce });

        plane.Set("2", StaticCluster("a", blue.Address), StaticCluster("c", teal.Address), Endpoints("s", blue.Address), Endpoints("t", teal.Address));
        DeltaDiscoveryResponse second = await ResponseAsync(carrier, 1);
        second.Resources.Select(r => r.Name).ShouldBe(["c"], "only what changed");
        second.RemovedResources.ShouldBe(["b"]);

        const string endpoints = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
        Send(carrier, new DeltaDiscoveryRequest { TypeUrl = endpoints, ResourceNamesSubscribe = { "t" } });
        DeltaDiscoveryResponse third = await ResponseAsync(carrier, 2);
        third.Resources.Select(r => r.Name).ShouldBe(["t"]);
        third.Resources[0].Resource_.TypeUrl.ShouldBe(endpoints);
        plane.Set("3", StaticCluster("a", blue.Address), StaticCluster("c", teal.Address), Endpoints("s", teal.Address), Endpoints("t", blue.Address));
        (await ResponseAsync(carrier, 3)).Resources.Select(r => r.Name).ShouldBe(["t"], "the other was not asked for");

        carrier.Tell(new JsonObject { ["do"] = "half-close" });
        JsonNode end = await carrier.EventAsync(e => (string?)e["event"] == "ended", "the stream ends");
        ((int)end["code"]!).ShouldBe(0);
    }

    [Fact]
    public async Task DeltaStream_ThatResumes_IsSentOnlyWhatItDoesNotHold()
    {
        using Peer blue = Peer.Banner("blue ");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", StaticCluster("a", blue.Address), StaticCluster("b", blue.Address));
        Dictionary<string, string> held = [];
        await using (JsonProcess before = GrpcPeer.Carrier())
        {
            Open(before, plane);
            Send(before, new DeltaDiscoveryRequest { Node = new Node { Id = "carrier" }, TypeUrl = ClusterType });
            held = (await ResponseAsync(before, 0)).Resources.ToDictionary(r => r.Name, r => r.Version);
        }

        held["b"] = "of another world";
        await using JsonProcess after = GrpcPeer.Carrier();
        Open(after, plane);
        Send(after, new DeltaDiscoveryRequest { Node = new Node { Id = "carrier" }, TypeUrl = ClusterType, InitialResourceVersions = { held } });
        (await ResponseAsync(after, 0)).Resources.Select(r => r.Name).ShouldBe(["b"]);
    }

    private static void Open(JsonProcess carrier, ControlPlane plane) => carrier.Tell(new JsonObject
    {
        ["do"] = "open", ["target"] = $"127.0.0.1:{plane.Port}", ["method"] = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    });

    private static void Send(JsonProcess carrier, DeltaDiscoveryRequest request)
        => carrier.Tell(new JsonObject { ["do"] = "send", ["data"] = Convert.ToBase64String(request.ToByteArray()) });

    private static async Task<DeltaDiscoveryResponse> ResponseAsync(JsonProcess carrier, int index)
    {
        List<JsonNode> messages = [];
        await Patience.UntilAsync(
            () => (messages = [.. carrier.Events.Where(e => (string?)e["event"] == "message")]).Count > index, $"response {index}", carrier.Said);
        return DeltaDiscoveryResponse.Parser.ParseFrom(Convert.FromBase64String((string)messages[index]["data"]!));
    }
}

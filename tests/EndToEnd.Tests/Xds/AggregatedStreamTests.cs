using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>A control plane of foreign make (grpc-js and the published protos) drives the real proxy over one aggregated stream.</summary>
public sealed class AggregatedStreamTests
{
    private const string Cds = ".Cluster";
    private const string Eds = ".ClusterLoadAssignment";
    private const string Lds = ".Listener";

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ListenersClustersAndEndpoints_ComeChangeAndGo_WithConnectionsOpen(string api)
    {
        using Peer blue = Peer.Banner("blue "), teal = Peer.Banner("teal ");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int port = Bootstrap.FreePort(), second = Bootstrap.FreePort();
        plane.Set("1", Listener("l", port, "c"), EdsCluster("c"), Endpoints("c", blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);

        using Client open = await Client.ConnectAsync(port);
        (await open.ReadAsync("blue ")).ShouldBe("blue ");

        plane.Set("2", Listener("l", port, "c"), EdsCluster("c"), Endpoints("c", teal.Address));
        await SaysAsync(proxy, port, "teal ");
        (await open.EchoAsync("still here")).ShouldBe("still here");

        plane.Set("3", Listener("l", port, "c"), Listener("l2", second, "d"), EdsCluster("c"), EdsCluster("d", "service"), Endpoints("c", teal.Address), Endpoints("service", blue.Address));
        await SaysAsync(proxy, second, "blue ");
        await SaysAsync(proxy, port, "teal ");

        plane.Set("4", Listener("l2", second, "d"), EdsCluster("d", "service"), Endpoints("service", blue.Address));
        await RefusesAsync(proxy, port);
        await SaysAsync(proxy, second, "blue ");
        (await proxy.StatAsync("control_plane.connected_state")).ShouldBe(1);
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task FirstRequest_NamesTheNode_AndClustersComeBeforeListeners(string api)
    {
        using Peer blue = Peer.Banner("blue ");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("l", Bootstrap.FreePort(), "c"), EdsCluster("c"), Endpoints("c", blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);

        await plane.RequestAsync(Lds, r => (string?)r["response_nonce"] is { Length: > 0 }, "the listeners are acknowledged");
        IReadOnlyList<JsonNode> requests = plane.Requests();
        JsonNode node = requests[0]["node"]!;
        ((string?)node["id"]).ShouldBe("sidecar~10.0.0.1~p.ns~ns.svc.cluster.local");
        ((string?)node["user_agent_name"]).ShouldBe("meshl4");
        ((string?)node["metadata"]!["fields"]!["NAMESPACE"]!["stringValue"]).ShouldBe("ns");
        List<string> firstOfType = [.. requests.Select(r => ((string)r["type_url"]!).Split('.')[^1]).Distinct()];
        firstOfType.ShouldBe(["Cluster", "ClusterLoadAssignment", "Listener"]);
        string names = api == "GRPC" ? "resource_names" : "resource_names_subscribe";
        plane.Requests(Eds)[0][names]!.AsArray().Select(name => (string?)name).ShouldBe(["c"]);
        plane.Requests(Cds)[0][names].ShouldBeNull();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task BadResources_AreRefusedWithEveryReason_AndTheGoodOnesServe(string api)
    {
        using Peer blue = Peer.Banner("blue "), teal = Peer.Banner("teal ");
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int port = Bootstrap.FreePort(), second = Bootstrap.FreePort();
        plane.Set("1", Listener("l", port, "c"), StaticCluster("c", blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, port, "blue ");

        JsonObject bad = StaticCluster("c", teal.Address), worse = StaticCluster("worse", teal.Address);
        bad["connect_timeout"] = new JsonObject { ["seconds"] = -1 };
        worse["lb_policy"] = "CLUSTER_PROVIDED";
        plane.Set("2", Listener("l", port, "c"), Listener("l2", second, "good"), bad, worse, StaticCluster("good", teal.Address));
        await SaysAsync(proxy, second, "teal ");
        await SaysAsync(proxy, port, "blue ");

        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", plane.Said);
        plane.Refusals[0].Split('\n').Order().ShouldBe([
            "Cluster/c: connect_timeout: duration of -1 s and 0 ns is not valid: it must not be negative",
            "Cluster/worse: lb_policy: CLUSTER_PROVIDED is for ORIGINAL_DST clusters only",
        ]);
        string dump = await proxy.PageAsync("/config_dump");
        dump.ShouldContain("error_state");
        dump.ShouldContain("must not be negative");
        (await proxy.StatAsync("cluster_manager.cds.update_rejected")).ShouldBe(1);

        plane.Set("3", Listener("l", port, "c"), StaticCluster("c", teal.Address));
        await SaysAsync(proxy, port, "teal ");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ControlPlane_KilledAndBack_ServesOnAndFollowsAgain(string api)
    {
        using Peer blue = Peer.Banner("blue "), teal = Peer.Banner("teal ");
        int planePort, port = Bootstrap.FreePort();
        ProxyProcess proxy;
        await using (ControlPlane plane = await ControlPlane.StartAsync())
        {
            planePort = plane.Port;
            plane.Set("1", Listener("l", port, "c"), EdsCluster("c"), Endpoints("c", blue.Address));
            proxy = await StartAsync(api, plane);
        }

        await using (proxy)
        {
            await SaysAsync(proxy, port, "blue ");
            await Patience.UntilAsync(async () => await proxy.StatAsync("control_plane.connected_state") == 0, "the proxy knows", () => proxy.Said);
            await SaysAsync(proxy, port, "blue ");
            await using ControlPlane again = await ControlPlane.StartAsync($"127.0.0.1:{planePort}");
            again.Set("2", Listener("l", port, "c"), EdsCluster("c"), Endpoints("c", teal.Address));
            await SaysAsync(proxy, port, "teal ");
            (await proxy.StatAsync("control_plane.connected_state")).ShouldBe(1);
            JsonNode clusters = await again.RequestAsync(Cds, static _ => true, "the clusters are asked for");
            if (api == "DELTA_GRPC")
            {
                JsonNode endpoints = await again.RequestAsync(Eds, static _ => true, "the endpoints are asked for");
                clusters["initial_resource_versions"]!["c"].ShouldNotBeNull();
                endpoints["initial_resource_versions"]!["c"].ShouldNotBeNull();
            }
            else
            {
                ((string?)clusters["version_info"]).ShouldBe("1");
            }
        }
    }

    private static Task<ProxyProcess> StartAsync(string api, ControlPlane plane)
    {
        var bootstrap = new Bootstrap();
        bootstrap.Ads(api, plane.Port);
        return ProxyProcess.StartAsync(bootstrap);
    }
}

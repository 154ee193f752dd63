using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>HTTP listeners wait for the routes they name, and the engine is told the name.</summary>
public sealed class RouteDiscoveryTests : IDisposable
{
    private const string Rds = ".RouteConfiguration";
    private readonly Peer _engine = Peer.Banner("engine ");
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly int _port = Bootstrap.FreePort();
    private readonly int _other = Bootstrap.FreePort();
    private readonly Bootstrap _bootstrap = new();

    public void Dispose()
    {
        _engine.Dispose();
        _blue.Dispose();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task HttpListener_OpensWhenItsRoutesCome_AndHoldsUpNobodyElse(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("tcp", _other, "c"), StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        plane.Set("2", HttpListener("web", _port, "80"), Listener("tcp", _other, "c"), StaticCluster("c", _blue.Address));
        await plane.RequestAsync(Rds, _ => true, "the routes are asked for");
        string names = api == "GRPC" ? "resource_names" : "resource_names_subscribe";
        plane.Requests(Rds)[0][names]!.AsArray().Select(name => (string?)name).ShouldBe(["80"]);
        await Patience.UntilAsync(async () => (await proxy.PageAsync("/init_dump")).Contains("web: RouteConfiguration/80", StringComparison.Ordinal), "it is waited for");
        await RefusesAsync(proxy, _port);
        await SaysAsync(proxy, _other, "blue ");
        (await DumpAsync(proxy))["client_status"]!.ToString().ShouldBe("REQUESTED");

        plane.Set("3", HttpListener("web", _port, "80"), Listener("tcp", _other, "c"), StaticCluster("c", _blue.Address), HttpRoutes("80", "shop.example"));
        await SaysAsync(proxy, _port, "engine ");
        await plane.RequestAsync(Rds, r => (string?)r["response_nonce"] is { Length: > 0 } && r["error_detail"] is null, "they are acknowledged");
        JsonNode dump = await DumpAsync(proxy);
        dump["client_status"]!.ToString().ShouldBe("ACKED");
        dump["route_config"]!["virtual_hosts"]![0]!["domains"]![0]!.ToString().ShouldBe("shop.example");
        (await proxy.StatAsync("control_plane.rds.update_success")).ShouldBe(1);

        using Client open = await Client.ConnectAsync(_port);
        (await open.ReadAsync("engine ")).ShouldBe("engine ");
        plane.Set("4", HttpListener("web", _port, "80"), Listener("tcp", _other, "c"), StaticCluster("c", _blue.Address), HttpRoutes("80", "other.example"));
        await Patience.UntilAsync(async () => (await proxy.PageAsync("/config_dump")).Contains("other.example", StringComparison.Ordinal), "new routes");
        (await open.EchoAsync("still here")).ShouldBe("still here", "routes are the engine's: no connection ends with them");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task BadRoutes_AreRefusedWithEveryReason_AndTheGoodOnesStay(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonNode[] others = [HttpListener("web", _port, "good"), HttpListener("web2", _other, "bad")];
        plane.Set("1", [.. others, HttpRoutes("good"), HttpRoutes("bad")]);
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "engine ");

        JsonObject bad = HttpRoutes("bad");
        bad["virtual_hosts"]!.AsArray().Add(new JsonObject { ["name"] = "host of bad", ["domains"] = new JsonArray("*") });
        plane.Set("2", [.. others, HttpRoutes("good", "new.example"), bad]);
        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", plane.Said);
        plane.Refusals[0].Split('\n').ShouldBe([
            "RouteConfiguration/bad: virtual_hosts[1].name: 'host of bad' is the name of another virtual host",
            "RouteConfiguration/bad: virtual_hosts[1].domains[0]: '*' belongs to two virtual hosts, or stands twice",
        ]);
        string dump = await proxy.PageAsync("/config_dump?resource=dynamic_route_configs");
        dump.ShouldContain("new.example", Case.Sensitive, "the good one of the same response is taken");
        dump.ShouldContain("NACKED");
        await SaysAsync(proxy, _other, "engine ");
    }

    [Fact]
    public async Task RoutesThatDoNotCome_AreWaitedForNoLongerThanTheirTime()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", HttpListener("web", _port, "never", 0.3));
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane);
        await SaysAsync(proxy, _port, "engine ");
        (await proxy.StatAsync("control_plane.rds.init_fetch_timeout")).ShouldBe(1);
        await proxy.TellsAsync("nobody waits any longer for RouteConfiguration never: none came in time");
    }

    [Theory]
    [InlineData("GRPC", "StreamRoutes")]
    [InlineData("DELTA_GRPC", "DeltaRoutes")]
    public async Task RoutesWithASourceOfTheirOwn_ComeOverAStreamOfTheirOwn(string api, string method)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonObject listener = HttpListener("web", _port, "80");
        listener["filter_chains"]![0]!["filters"]![0]!["typed_config"]!["rds"]!["config_source"] = Own(api);
        plane.Set("1", listener, HttpRoutes("80"));
        _bootstrap.Cluster("plane", new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, plane.Port));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "engine ");
        await plane.EventAsync(e => (string?)e["event"] == "open" && (string?)e["method"] == method, "a stream for routes");
        plane.Events.Count(e => (string?)e["event"] == "open" && (string?)e["method"] == method).ShouldBe(1);

        plane.Set("2", Listener("tcp", _other, "c"), StaticCluster("c", _blue.Address));
        await RefusesAsync(proxy, _port);
        await SaysAsync(proxy, _other, "blue ");
        await Patience.UntilAsync(async () => !(await proxy.PageAsync("/config_dump")).Contains("host of 80", StringComparison.Ordinal), "routes nobody names are dropped");
    }

    [Fact]
    public async Task RoutesInAFile_AreTakenAndFollowed()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        string file = Path.Combine(_bootstrap.Folder, "routes.json");
        JsonObject listener = HttpListener("web", _port, "80");
        listener["filter_chains"]![0]!["filters"]![0]!["typed_config"]!["rds"]!["config_source"] = new JsonObject { ["path_config_source"] = new JsonObject { ["path"] = file } };
        plane.Set("1", listener);
        Task<ProxyProcess> starting = StartAsync("DELTA_GRPC", plane);
        await plane.RequestAsync(".Listener", r => (string?)r["response_nonce"] is { Length: > 0 }, "the listener is taken");
        await File.WriteAllTextAsync(file, InFile(HttpRoutes("80", "file.example")));
        await using ProxyProcess proxy = await starting;
        await SaysAsync(proxy, _port, "engine ");
        (await proxy.PageAsync("/config_dump")).ShouldContain("file.example", Case.Sensitive, proxy.Said);
    }

    internal static string InFile(JsonObject resource)
    {
        resource["@type"] = "type.googleapis.com/" + resource["@type"];
        return new JsonObject { ["version_info"] = "f", ["resources"] = new JsonArray(resource) }.ToJsonString();
    }

    internal static JsonObject Own(string api) => new()
    {
        ["resource_api_version"] = "V3",
        ["api_config_source"] = new JsonObject
        {
            ["api_type"] = api, ["transport_api_version"] = "V3",
            ["grpc_services"] = new JsonArray(new JsonObject { ["envoy_grpc"] = new JsonObject { ["cluster_name"] = "plane" } }),
        },
    };

    private static async Task<JsonNode> DumpAsync(ProxyProcess proxy)
        => JsonNode.Parse(await proxy.PageAsync("/config_dump?resource=dynamic_route_configs"))!["configs"]![0]!["dynamic_route_configs"]![0]!;

    private Task<ProxyProcess> StartAsync(string api, ControlPlane plane)
    {
        _bootstrap.Ads(api, plane.Port);
        _bootstrap.Cluster("engine", _engine.Address);
        _bootstrap.Engine("engine", "NONE");
        return ProxyProcess.StartAsync(_bootstrap);
    }
}

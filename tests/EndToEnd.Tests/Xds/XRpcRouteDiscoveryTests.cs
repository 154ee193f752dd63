using System.Net;
using System.Text.Json.Nodes;
using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.TestKit.XdsResources;
using Bootstrap = MeshL4.TestKit.Bootstrap;
using Peer = MeshL4.EndToEnd.Tests.Behaviours.Stage.Peer;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Routes of an RPC protocol over ECDS: waited for, changed under open connections, refused with reasons, removed.</summary>
public sealed class XRpcRouteDiscoveryTests : IDisposable
{
    private readonly Peer _blue = Peer.Redis();
    private readonly Peer _teal = Peer.Redis();
    private readonly int _port = Bootstrap.FreePort();
    private readonly Bootstrap _bootstrap = new();

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task Routes_AreWaitedFor_AndChangeUnderAnOpenConnection_ARequestInFlightIncluded(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1");
        _bootstrap.Ads(api, plane.Port);
        Task<ProxyProcess> starting = ProxyProcess.StartAsync(_bootstrap);
        await plane.RequestAsync(".TypedExtensionConfig", static _ => true, "the routes are asked for");
        Set(plane, "2", routes: To("blue"));
        await using ProxyProcess proxy = await starting;
        using Call client = await OpenAsync(proxy);
        using Call waiting = Call.To(_port);
        client.Ask("SET where blue").ShouldBe("+OK");
        waiting.Send(RedisFront.Command("BLPOP", "queue", "0"));
        using Call blue = Call.To(_blue.Port);
        Wait.Until(() => Blocked(blue) == 1, "nobody waits at the server");

        Set(plane, "3", routes: To("teal"));
        await Patience.UntilAsync(() => client.Ask("EXISTS where") == ":0", "the open connection goes elsewhere", () => proxy.Said);
        client.Ask("SET where teal").ShouldBe("+OK");
        blue.Ask("RPUSH queue item").ShouldBe(":1");
        foreach (string line in (string[])["*2", "$5", "queue", "$4", "item"])
        {
            waiting.ReadLine().ShouldBe(line);
        }

        waiting.Ask("STRLEN where").ShouldBe(":4");
        plane.Refusals.ShouldBeEmpty();
        (await proxy.PageAsync("/config_dump?resource=ecds_filters")).ShouldContain("meshl4.xrpc.v1.RouteConfig");
    }

    [Fact]
    public async Task Routes_ThatCannotBe_AreRefusedByTheirPath_AndTheOnesBeforeServe()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", routes: To("blue"));
        _bootstrap.Ads("GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        using Call client = await OpenAsync(proxy);
        client.Ask("SET where blue").ShouldBe("+OK");

        Set(plane, "2", routes: """{"routes": [{"forward": {"cluster": "teal", "remove_key_prefix": true}}]}""");
        await Patience.UntilAsync(() => plane.Refusals.Count == 1, "a refusal", plane.Said);
        plane.Refusals[0].ShouldBe("TypedExtensionConfig/rpc-routes: typed_config.routes[0].forward.remove_key_prefix: needs a match.key_prefix");
        plane.Set("3", [.. Others(""), Extension("rpc-routes", RbacSettings("ALLOW"))]);
        await Patience.UntilAsync(() => plane.Refusals.Count == 2, "a refusal", plane.Said);
        plane.Refusals[1].ShouldBe(
            "TypedExtensionConfig/rpc-routes: typed_config: is a 'envoy.extensions.filters.network.rbac.v3.RBAC' where the route_discovery that asks for it takes "
            + "'meshl4.xrpc.v1.RouteConfig'");
        client.Ask("STRLEN where").ShouldBe(":4");
    }

    [Fact]
    public async Task PoliciesOfTheListener_ChangeUnderDiscoveredRoutes()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", routes: To("blue"));
        _bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        using Call client = await OpenAsync(proxy);
        client.Ask("SET where blue").ShouldBe("+OK");

        Set(plane, "2", """, "policies": {"authorization": {"deny": [{"methods": ["get"]}]}}""", To("blue"));
        await Patience.UntilAsync(() => IsDenied(client), "the open connection meets the new policy", () => proxy.Said);
        client.Ask("STRLEN where").ShouldBe(":4");
        Set(plane, "3", """, "policies": {"authorization": {"deny": [{"methods": ["get"]}]}}""", To("teal"));
        await Patience.UntilAsync(() => client.Ask("STRLEN where") == ":0", "the open connection goes elsewhere", () => proxy.Said);
        IsDenied(client).ShouldBeTrue();
    }

    /// <summary>Routes without names are known by what they take: one that comes before them does not give a transaction under way its own policies.</summary>
    [Fact]
    public async Task RouteInFrontOfOthers_LeavesTransactionsTheirOwn()
    {
        const string Keyed = """{"match": {"key_prefix": "a:"}, "forward": {"cluster": "blue"}}, {"forward": {"cluster": "blue"}}""";
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", routes: $$$"""{"routes": [{{{Keyed}}}]}""");
        _bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        using Call client = await OpenAsync(proxy);
        client.Ask("WATCH a:1").ShouldBe("+OK");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a:1 v").ShouldBe("+QUEUED");
        Set(plane, "2", routes: $$$"""{"routes": [{"match": {"key_prefix": "admin:"}, "reject": {"message": "ERR closed"}}, {{{Keyed}}}]}""");
        using Call other = Call.To(_port);
        await Patience.UntilAsync(() => other.Ask("STRLEN admin:1") == "-ERR closed", "the new routes are there", () => proxy.Said);
        client.Ask("EXEC").ShouldBe("*1");
        client.ReadLine().ShouldBe("+OK");
    }

    [Fact]
    public async Task RemovedRoutes_LeaveRequestsWithoutARoute_AndTheirConnectionOpen()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", routes: To("blue"));
        _bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        using Call client = await OpenAsync(proxy);
        client.Ask("SET where blue").ShouldBe("+OK");
        Set(plane, "2");
        await Patience.UntilAsync(() => client.Ask("STRLEN where")!.Contains("no route", StringComparison.Ordinal), "there is no route", () => proxy.Said);
        Set(plane, "3", routes: To("blue"));
        await Patience.UntilAsync(() => client.Ask("STRLEN where") == ":4", "the routes are there again", () => proxy.Said);
    }

    /// <summary>The whole proxy may come over ECDS too. What is looked up for each request is the new one's, for who is connected as well.</summary>
    [Fact]
    public async Task RoutesAndPoliciesOfADiscoveredProxy_ChangeUnderAnOpenConnection()
    {
        const string NoGet = """, "policies": {"authorization": {"deny": [{"methods": ["get"]}]}}""";
        await using ControlPlane plane = await ControlPlane.StartAsync();
        SetWhole(plane, "1", "blue", "");
        _bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        using Call client = await OpenAsync(proxy);
        client.Ask("SET where blue").ShouldBe("+OK");
        IsDenied(client).ShouldBeFalse();
        SetWhole(plane, "2", "blue", NoGet);
        await Patience.UntilAsync(() => IsDenied(client), "the open connection meets the new policy", () => proxy.Said);
        SetWhole(plane, "3", "teal", NoGet);
        await Patience.UntilAsync(() => client.Ask("STRLEN where") == ":0", "the open connection goes elsewhere", () => proxy.Said);
        SetWhole(plane, "4", "blue", "");
        await Patience.UntilAsync(() => client.Ask("STRLEN where") == ":4", "the open connection goes back", () => proxy.Said);
        IsDenied(client).ShouldBeFalse();
        using Call other = Call.To(_port);
        IsDenied(other).ShouldBeFalse();
        plane.Refusals.ShouldBeEmpty();
    }

    /// <summary>Whatever else changes is another proxy: who is connected to the old one has the drain time, policies that come along included.</summary>
    [Fact]
    public async Task AnotherChangeOfADiscoveredProxy_DrainsItsConnections_AndKeepsItsTokens()
    {
        const string Limit = """, "policies": {"rate_limit": {"max_tokens": 3, "fill_interval": "600s"}}""";
        await using ControlPlane plane = await ControlPlane.StartAsync();
        SetWhole(plane, "1", "blue", Limit);
        _bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        using Call client = await OpenAsync(proxy);
        client.Ask("SET where blue").ShouldBe("+OK");
        client.Ask("STRLEN where").ShouldBe(":4");
        SetWhole(plane, "2", "blue", Limit + """, "limits": {"max_pending_requests": 77}""");
        client.Ends().ShouldBeTrue();
        using Call other = Call.To(_port);
        other.Ask("STRLEN where").ShouldBe(":4");
        other.Ask("STRLEN where").ShouldStartWith("-");

        // So it goes on with the next.
        SetWhole(plane, "3", "blue", """, "policies": {"authorization": {"deny": [{"methods": ["get"]}]}}, "limits": {"max_pending_requests": 77}""");
        await Patience.UntilAsync(() => IsDenied(other), "the open connection meets the new policy", () => proxy.Said);
        plane.Refusals.ShouldBeEmpty();
    }

    public void Dispose()
    {
        _blue.Dispose();
        _teal.Dispose();
    }

    /// <summary>A proxy is ready before its listeners of the first update listen.</summary>
    private async Task<Call> OpenAsync(ProxyProcess proxy)
    {
        Call? client = null;
        await Patience.UntilAsync(
            () =>
            {
                try
                {
                    client = Call.To(_port);
                    return true;
                }
                catch (System.Net.Sockets.SocketException)
                {
                    return false;
                }
            },
            "the listener is open", () => proxy.Said);
        return client!;
    }

    private static string To(string cluster) => $$$"""{"routes": [{"forward": {"cluster": "{{{cluster}}}"}}]}""";

    private static bool IsDenied(Call client)
    {
        string answer = client.Ask("GET where")!;
        if (answer == "$4")
        {
            client.ReadLine().ShouldBe("blue");
        }

        return answer.StartsWith("-NOPERM", StringComparison.Ordinal);
    }

    private static int Blocked(Call direct)
    {
        direct.Send(RedisFront.Command("INFO", "clients"));
        int length = int.Parse(direct.ReadLine()!.TrimStart('$'), System.Globalization.CultureInfo.InvariantCulture);
        int blocked = -1;
        for (int read = 0; read < length;)
        {
            string line = direct.ReadLine()!;
            read += line.Length + 2;
            blocked = line.StartsWith("blocked_clients:", StringComparison.Ordinal) ? line[^1] - '0' : blocked;
        }

        direct.ReadLine().ShouldBe("");
        return blocked;
    }

    private JsonNode[] Others(string more) =>
    [
        WithFilters(Listener("l", _port, ""), new JsonObject
        {
            ["name"] = "rpc",
            ["typed_config"] = TypedStructs.Of(
                "meshl4.xrpc.v1.XRpcProxy",
                $$$"""{"stat_prefix": "x", "codec": "redis", "route_discovery": {"name": "rpc-routes", "config_source": {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}}{{{more}}}}"""),
        }),
        StaticCluster("blue", IPEndPoint.Parse(_blue.Address)), StaticCluster("teal", IPEndPoint.Parse(_teal.Address)),
    ];

    private void SetWhole(ControlPlane plane, string version, string cluster, string more)
    {
        JsonObject place = DiscoveredFilter("rpc", 0);
        place["config_discovery"]!["type_urls"] = new JsonArray("type.googleapis.com/meshl4.xrpc.v1.XRpcProxy");
        plane.Set(version, [
            WithFilters(Listener("l", _port, ""), place),
            StaticCluster("blue", IPEndPoint.Parse(_blue.Address)), StaticCluster("teal", IPEndPoint.Parse(_teal.Address)),
            Extension("rpc", TypedStructs.Of("meshl4.xrpc.v1.XRpcProxy", $$"""{"stat_prefix": "x", "codec": "redis", "route_config": {{To(cluster)}}{{more}}}"""))]);
    }

    private void Set(ControlPlane plane, string version, string more = "", string? routes = null) =>
        plane.Set(version, routes is null ? Others(more) : [.. Others(more), Extension("rpc-routes", TypedStructs.Of("meshl4.xrpc.v1.RouteConfig", routes))]);
}

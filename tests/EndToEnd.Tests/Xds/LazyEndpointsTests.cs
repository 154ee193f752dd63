using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Endpoints are subscribed to by the first connection, which is held for them, and given up when nobody uses them any more.</summary>
public sealed class LazyEndpointsTests : IDisposable
{
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly Peer _teal = Peer.Banner("teal ");
    private readonly int _port = Bootstrap.FreePort();
    private readonly int _other = Bootstrap.FreePort();

    public void Dispose()
    {
        _blue.Dispose();
        _teal.Dispose();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task FirstConnection_IsHeldUntilItsEndpointsCome_AndNobodyElsesAreAskedFor(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", World());
        await using ProxyProcess proxy = await StartAsync(api, plane, "hold: 60s");
        await OpenAsync(proxy, _port);
        plane.Requests("ClusterLoadAssignment").ShouldBeEmpty("no cluster is used");

        using Client held = await Client.ConnectAsync(_port);
        await plane.RequestAsync("ClusterLoadAssignment", Names("c"), "the endpoints of the cluster in use are asked for");
        plane.Set("2", [.. World(), Endpoints("c", _blue.Address), Endpoints("d", _teal.Address)]);
        (await held.ReadAsync("blue ")).ShouldBe("blue ");
        plane.Requests("ClusterLoadAssignment").ShouldAllBe(request => !AllNames(request).Contains("d"));

        await SaysAsync(proxy, _other, "teal ");
        plane.Set("3", [.. World(), Endpoints("c", _teal.Address), Endpoints("d", _teal.Address)]);
        await SaysAsync(proxy, _port, "teal ");
        (await held.EchoAsync("still here")).ShouldBe("still here");
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task EndpointsThatDoNotCome_HoldAConnectionNoLongerThanItsTime(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", World());
        await using ProxyProcess proxy = await StartAsync(api, plane, "hold: 0.5s");
        await OpenAsync(proxy, _port);
        using Client refused = await Client.ConnectAsync(_port);
        (await refused.ReadTextToEndAsync()).ShouldBeEmpty();
        plane.Set("2", [.. World(), Endpoints("c", _blue.Address)]);
        await SaysAsync(proxy, _port, "blue ");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task UnusedCluster_IsUnsubscribed_AndUsedAgain(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", [.. World(), Endpoints("c", _blue.Address), Endpoints("d", _teal.Address)]);
        await using ProxyProcess proxy = await StartAsync(api, plane, "hold: 60s, idle: 1s");
        await SaysAsync(proxy, _other, "teal ");
        using Client open = await Client.ConnectAsync(_other);
        (await open.ReadAsync("teal ")).ShouldBe("teal ");
        await SaysAsync(proxy, _port, "blue ");
        await Patience.UntilAsync(
            () => plane.Requests("ClusterLoadAssignment").SkipWhile(request => !AllNames(request).Contains("c")).Any(request => IsGone(request, api)),
            "the endpoints of the unused cluster are given up", plane.Said);
        (await open.EchoAsync("in use")).ShouldBe("in use");
        plane.Set("2", [.. World(), Endpoints("c", _teal.Address), Endpoints("d", _teal.Address)]);
        await SaysAsync(proxy, _port, "teal ");
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task FirstUseWhileNoControlPlaneAnswers_IsHeldForItsTimeAndToldWhy_AndServedWhenOneIsBack(string api)
    {
        ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", World());
        var bootstrap = new Bootstrap();
        int logged = bootstrap.Listener("s", Bootstrap.TcpProxy("c"));
        await using ProxyProcess proxy = await StartAsync(api, plane, "hold: 0.5s", bootstrap);
        await OpenAsync(proxy, _port);
        await GoneAsync(plane, proxy);
        using Client refused = await Client.ConnectAsync(logged);
        (await refused.ReadTextToEndAsync()).ShouldBeEmpty();
        AccessRecord record = await proxy.RecordOfAsync(refused.Address);
        (record.Flags, record.Details).ShouldBe(("UH", "endpoints_not_received"));

        await using ControlPlane back = await ControlPlane.StartAsync($"127.0.0.1:{plane.Port}");
        back.Set("2", [.. World(), Endpoints("c", _blue.Address), Endpoints("d", _teal.Address)]);
        await SaysAsync(proxy, _port, "blue ");
        await SaysAsync(proxy, _other, "teal ");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ConnectionHeldWhileNoControlPlaneAnswers_GoesOnWhenOneIsBack(string api)
    {
        ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", World());
        await using ProxyProcess proxy = await StartAsync(api, plane, "hold: 60s");
        await OpenAsync(proxy, _port);
        await GoneAsync(plane, proxy);
        using Client held = await Client.ConnectAsync(_port);
        await using ControlPlane back = await ControlPlane.StartAsync($"127.0.0.1:{plane.Port}");
        back.Set("2", [.. World(), Endpoints("c", _blue.Address)]);
        (await held.ReadAsync("blue ")).ShouldBe("blue ");
    }

    /// <summary>What was given up could not be asked for again.</summary>
    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task EndpointsOfAnUnusedCluster_AreKept_WhileNoControlPlaneAnswers(string api)
    {
        ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", [.. World(), Endpoints("c", _blue.Address)]);
        await using ProxyProcess proxy = await StartAsync(api, plane, "hold: 30s, idle: 1s");
        await OpenAsync(proxy, _port);
        using (Client first = await Client.ConnectAsync(_port))
        {
            (await first.ReadAsync("blue ")).ShouldBe("blue ");
            await GoneAsync(plane, proxy);
        }

        await Task.Delay(TimeSpan.FromSeconds(3)); // three times as long as unused endpoints are kept otherwise
        using Client later = await Client.ConnectAsync(_port);
        (await later.ReadAsync("blue ")).ShouldBe("blue ");
    }

    /// <summary>Of two control planes one is gone: what the other has can be asked for again, and is given up.</summary>
    [Fact]
    public async Task EndpointsOfAnUnusedCluster_AreGivenUp_WhenAnotherControlPlaneIsGone()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        ControlPlane other = await ControlPlane.StartAsync();
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("other", new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, other.Port));
        JsonObject elsewhere = EdsCluster("d");
        elsewhere["eds_cluster_config"]!["eds_config"] = JsonNode.Parse(
            """{"resource_api_version": "V3", "api_config_source": {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "other"}}]}}""");
        plane.Set("1", Listener("l", _port, "c"), Listener("m", _other, "d"), EdsCluster("c"), elsewhere, Endpoints("c", _blue.Address));
        other.Set("1", Endpoints("d", _teal.Address));
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane, "hold: 60s, idle: 1s", bootstrap);
        await OpenAsync(proxy, _other);
        using Client held = await Client.ConnectAsync(_other);
        (await held.ReadAsync("teal ")).ShouldBe("teal ");
        await GoneAsync(other, proxy);
        held.Dispose();

        await SaysAsync(proxy, _port, "blue ");
        await Patience.UntilAsync(
            () => plane.Requests("ClusterLoadAssignment").Any(request => IsGone(request, "DELTA_GRPC")), "the endpoints of the unused cluster are given up", plane.Said);
        await SaysAsync(proxy, _other, "teal ");
    }

    private static async Task GoneAsync(ControlPlane plane, ProxyProcess proxy)
    {
        await plane.DisposeAsync();
        await Patience.UntilAsync(async () => await proxy.StatAsync("control_plane.connected_state") == 0, "the outage is met", () => proxy.Said);
    }

    private static bool IsGone(JsonNode request, string api) => api == "DELTA_GRPC"
        ? (request["resource_names_unsubscribe"] as JsonArray)?.Any(name => (string?)name == "c") ?? false
        : AllNames(request).SequenceEqual(["d"]) && ((string?)request["version_info"])?.Length > 0;

    private static Func<JsonNode, bool> Names(string name) => request => AllNames(request).Contains(name);

    private static IEnumerable<string?> AllNames(JsonNode request)
        => ((request["resource_names"] ?? request["resource_names_subscribe"]) as JsonArray ?? []).Select(static name => (string?)name);

    private static Task OpenAsync(ProxyProcess proxy, int port) => Patience.UntilAsync(
        async () => (await proxy.PageAsync("/listeners")).Contains($"{port}", StringComparison.Ordinal), "the listener is open", () => proxy.Said);

    private JsonObject[] World() => [Listener("l", _port, "c"), Listener("m", _other, "d"), EdsCluster("c"), EdsCluster("d")];

    private static Task<ProxyProcess> StartAsync(string api, ControlPlane plane, string lazy, Bootstrap? own = null)
    {
        Bootstrap bootstrap = own ?? new Bootstrap();
        bootstrap.Ads(api, plane.Port);
        bootstrap.Extension("control_plane", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, lazy_endpoints: {{{lazy}}}");
        return ProxyProcess.StartAsync(bootstrap);
    }
}

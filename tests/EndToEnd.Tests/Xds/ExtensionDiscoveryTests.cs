using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Network filters whose settings are discovered: waited for, changed without a connection lost, refused with reasons, removed.</summary>
public sealed class ExtensionDiscoveryTests : IDisposable
{
    private const string Ecds = ".TypedExtensionConfig";
    private const string Rbac = "rbac.v3.RBAC";
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly Peer _teal = Peer.Banner("teal ");
    private readonly int _port = Bootstrap.FreePort();
    private readonly Bootstrap _bootstrap = new();

    public void Dispose()
    {
        _blue.Dispose();
        _teal.Dispose();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task Settings_AreWaitedFor_AndChangeWithoutAConnectionLost_UnlessThePolicyTurnsAgainstIt(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", DiscoveredFilter("guard", 0, Rbac));
        Task<ProxyProcess> starting = StartAsync(api, plane);
        await plane.RequestAsync(Ecds, _ => true, "the settings are asked for");
        Set(plane, "2", DiscoveredFilter("guard", 0, Rbac), Extension("guard", RbacSettings("ALLOW", "first")));
        await using ProxyProcess proxy = await starting;
        await SaysAsync(proxy, _port, "blue ");
        using Client open = await Client.ConnectAsync(_port);
        (await open.ReadAsync("blue ")).ShouldBe("blue ");

        Set(plane, "3", DiscoveredFilter("guard", 0, Rbac), Extension("guard", RbacSettings("ALLOW", "second")));
        await Patience.UntilAsync(
            async () =>
            {
                await SaysAsync(proxy, _port, "blue ");
                return await proxy.StatAsync("rbac.second.allowed") > 0;
            },
            "new connections meet the new settings");
        (await open.EchoAsync("still here")).ShouldBe("still here");

        Set(plane, "4", DiscoveredFilter("guard", 0, Rbac), Extension("guard", RbacSettings("DENY", "third")));
        await ClosesAsync(proxy, _port);
        (await open.ReadToEndAsync()).Bytes.ShouldBeEmpty("the policy turned against it");
        plane.Refusals.ShouldBeEmpty();
        string dump = await proxy.PageAsync("/config_dump?resource=ecds_filters");
        dump.ShouldContain("\"third\"");
        dump.ShouldContain("ACKED");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task SettingsOfAnotherTypeOrPlace_AreRefusedWithTheReason_AndTheOnesBeforeServe(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", DiscoveredFilter("guard", 0, Rbac, "tcp_proxy.v3.TcpProxy"), Extension("guard", RbacSettings("ALLOW")));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");

        var limit = new JsonObject
        {
            ["@type"] = "type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit", ["stat_prefix"] = "l",
            ["max_connections"] = new JsonObject { ["value"] = 1 },
        };
        Set(plane, "2", DiscoveredFilter("guard", 0, Rbac, "tcp_proxy.v3.TcpProxy"), Extension("guard", limit));
        await Patience.UntilAsync(() => plane.Refusals.Count == 1, "a refusal", plane.Said);
        plane.Refusals[0].ShouldBe(
            "TypedExtensionConfig/guard: typed_config: is a 'envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit' where the filter that asks "
            + "for it takes 'envoy.extensions.filters.network.rbac.v3.RBAC', 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy'");
        Set(plane, "3", DiscoveredFilter("guard", 0, Rbac, "tcp_proxy.v3.TcpProxy"), Extension("guard", TcpProxySettings("c")));
        await Patience.UntilAsync(() => plane.Refusals.Count == 2, "a refusal", plane.Said);
        plane.Refusals[1].ShouldBe("TypedExtensionConfig/guard: typed_config: is terminal, and the filter is not the last of its chain");
        await SaysAsync(proxy, _port, "blue ");
        (await proxy.PageAsync("/config_dump?resource=ecds_filters")).ShouldContain("NACKED");
    }

    [Fact]
    public async Task SettingsThatDoNotCome_RefuseConnections_RatherThanLetThemBy()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", DiscoveredFilter("guard", 0.3, Rbac));
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane);
        await ClosesAsync(proxy, _port);
        await Patience.UntilAsync(async () => await proxy.StatAsync($"listener.127.0.0.1_{_port}.network_extension_config_missing") > 0, "it is counted");
        (await proxy.StatAsync("control_plane.ecds.init_fetch_timeout")).ShouldBe(1);
        Set(plane, "2", DiscoveredFilter("guard", 0.3, Rbac), Extension("guard", RbacSettings("ALLOW")));
        await SaysAsync(proxy, _port, "blue ");
    }

    [Fact]
    public async Task ListenerFilter_WithoutItsSettingsRefuses_AndActsWhenTheyCome()
    {
        const string Type = "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
        JsonObject listener = Listener("l", _port, "c"), place = DiscoveredFilter("finds", 0.3);
        place["config_discovery"]!["type_urls"]!.AsArray().Add(Type);
        listener["listener_filters"] = new JsonArray(place);
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", listener, StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane);
        await ClosesAsync(proxy, _port);
        await Patience.UntilAsync(async () => await proxy.StatAsync($"listener.127.0.0.1_{_port}.extension_config_missing") > 0, "it is counted");
        plane.Set("2", listener, StaticCluster("c", _blue.Address), Extension("finds", new JsonObject { ["@type"] = Type, ["allow_requests_without_proxy_protocol"] = true }));
        await Patience.UntilAsync(
            async () =>
            {
                try
                {
                    using Client client = await Client.ConnectAsync(_port);
                    await client.SendAsync("PROXY TCP4 192.0.2.7 192.0.2.8 4711 80\r\nhello");
                    return await client.ReadAsync("blue hello") == "blue hello";
                }
                catch (System.Net.Sockets.SocketException)
                {
                    return false; // reset: the settings have not come yet
                }
            },
            "the header is taken off",
            () => proxy.Said);
        plane.Refusals.ShouldBeEmpty();
    }

    [Fact]
    public async Task Default_ServesAtOnceWhereItMay_AndAgainWhenTheSettingsAreRemoved()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonObject filter = DiscoveredFilter("guard", 0, Rbac);
        filter["config_discovery"]!["default_config"] = RbacSettings("ALLOW");
        filter["config_discovery"]!["apply_default_config_without_warming"] = true;
        Set(plane, "1", filter);
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane);
        await SaysAsync(proxy, _port, "blue ");
        Set(plane, "2", filter, Extension("guard", RbacSettings("DENY")));
        await ClosesAsync(proxy, _port);
        Set(plane, "3", filter);
        await SaysAsync(proxy, _port, "blue ");
    }

    [Fact]
    public async Task RemovedSettingsWithoutADefault_RefuseNewConnections_AndLeaveOpenOnesAlone()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Set(plane, "1", DiscoveredFilter("guard", 0, Rbac), Extension("guard", RbacSettings("ALLOW")));
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane);
        await SaysAsync(proxy, _port, "blue ");
        using Client open = await Client.ConnectAsync(_port);
        (await open.ReadAsync("blue ")).ShouldBe("blue ");
        Set(plane, "2", DiscoveredFilter("guard", 0, Rbac));
        await ClosesAsync(proxy, _port);
        (await open.EchoAsync("still here")).ShouldBe("still here");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task TerminalFilter_CanBeDiscovered_AndSendElsewhereLater(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonObject listener = WithFilters(Listener("l", _port, ""), DiscoveredFilter("end", 0, "tcp_proxy.v3.TcpProxy"));
        JsonNode[] others = [listener, StaticCluster("c", _blue.Address), StaticCluster("d", _teal.Address)];
        plane.Set("1", [.. others, Extension("end", TcpProxySettings("c"))]);
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        using Client open = await Client.ConnectAsync(_port);
        (await open.ReadAsync("blue ")).ShouldBe("blue ");
        plane.Set("2", [.. others, Extension("end", TcpProxySettings("d"))]);
        await SaysAsync(proxy, _port, "teal ");
        (await open.EchoAsync("still here")).ShouldBe("still here");
    }

    private void Set(ControlPlane plane, string version, JsonObject filter, params JsonNode[] more)
        => plane.Set(version, [WithFilters(Listener("l", _port, ""), filter.DeepClone(), TcpProxy("c")), StaticCluster("c", _blue.Address), .. more]);

    private Task<ProxyProcess> StartAsync(string api, ControlPlane plane)
    {
        _bootstrap.Ads(api, plane.Port);
        return ProxyProcess.StartAsync(_bootstrap);
    }
}

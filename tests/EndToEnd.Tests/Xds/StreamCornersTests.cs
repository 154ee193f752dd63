using System.Net;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;
using ControlPlane = MeshL4.TestKit.ControlPlane;
using Endpoint = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3.Endpoint;
using SocketAddress = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.SocketAddress;
using TcpRelay = MeshL4.EndToEnd.Tests.Behaviours.Stage.TcpRelay;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>What streams do at their corners: endpoints from elsewhere, compressed frames, heartbeats, addresses that are taken, references that dangle.</summary>
public sealed class StreamCornersTests : IDisposable
{
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
    [InlineData("GRPC", "StreamEndpoints")]
    [InlineData("DELTA_GRPC", "DeltaEndpoints")]
    public async Task EndpointsWithASourceOfTheirOwn_ComeOverAStreamOfTheirOwn_FromAnotherServer(string api, string method)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        await using ControlPlane endpoints = await ControlPlane.StartAsync();
        _bootstrap.Cluster("plane", new IPEndPoint(IPAddress.Loopback, endpoints.Port));
        JsonObject cluster = EdsCluster("c", "service");
        cluster["eds_cluster_config"]!["eds_config"] = RouteDiscoveryTests.Own(api);
        plane.Set("1", Listener("l", _port, "c"), cluster);
        endpoints.Set("1", Endpoints("service", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        await endpoints.EventAsync(e => (string?)e["event"] == "open", "a stream for endpoints");
        endpoints.Events.Where(e => (string?)e["event"] == "open").Select(e => (string?)e["method"]).ShouldBe([method]);
        endpoints.Set("2", Endpoints("service", _teal.Address));
        await SaysAsync(proxy, _port, "teal ");
        plane.Requests(".ClusterLoadAssignment").ShouldBeEmpty("the aggregated stream is not asked");
        endpoints.Refusals.Concat(plane.Refusals).ShouldBeEmpty();
    }

    [Fact]
    public async Task CompressedFrames_OfAServerOnTheCCore_AreRead()
    {
        var clusters = new DiscoveryResponse { TypeUrl = "type.googleapis.com/envoy.config.cluster.v3.Cluster", VersionInfo = "1", Nonce = "1" };
        for (int i = 0; i < 2000; i++)
        {
            clusters.Resources.Add(new Any { TypeUrl = clusters.TypeUrl, Value = Static($"cluster number {i}", _blue.Address).ToByteString() });
        }

        int plain = clusters.CalculateSize();
        var listeners = new DiscoveryResponse { TypeUrl = "type.googleapis.com/envoy.config.listener.v3.Listener", VersionInfo = "1", Nonce = "1" };
        string file = Path.Combine(_bootstrap.Folder, "responses");
        await File.WriteAllTextAsync(file, new JsonObject { [clusters.TypeUrl] = clusters.ToByteString().ToBase64(), [listeners.TypeUrl] = listeners.ToByteString().ToBase64() }.ToJsonString());
        await using JsonProcess server = JsonProcess.Start(null, "/usr/bin/python3", Executables.Script("tests/python/compressing_server.py"), file);
        JsonNode listening = await server.EventAsync(e => (string?)e["event"] == "listening", "it listens");
        using var relay = new TcpRelay((int)listening["port"]!);
        _bootstrap.Listener("l", Bootstrap.TcpProxy("cluster number 1999"), "", _port);
        _bootstrap.Ads("GRPC", relay.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        relay.FromServer.ShouldBeInRange(1, plain / 2, "the frames were compressed");
        (await proxy.StatAsync("cluster_manager.cds.update_rejected")).ShouldBe(0);
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task Heartbeat_SetsTheLifeOfAResource_AndSendsNothingAnew(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int second = Bootstrap.FreePort();
        JsonObject mortal = Listener("l2", second, "c");
        mortal["$ttl"] = 3_600_000;
        plane.Set("1", Listener("l", _port, "c"), mortal, StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, second, "blue ");
        Heartbeat(plane, "l2", 7_200_000);
        await Patience.UntilAsync(async () => await proxy.StatAsync("listener_manager.lds.update_success") >= 2, "the heartbeat is taken");
        await SaysAsync(proxy, second, "blue ");
        Heartbeat(plane, "l2", 1);
        await RefusesAsync(proxy, second);
        await SaysAsync(proxy, _port, "blue ");
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ListenerWhoseAddressIsTaken_IsRefusedWithTheReason_AndOpensWhenItCan(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int taken = Bootstrap.FreePort();
        using var holder = new System.Net.Sockets.TcpListener(IPAddress.Loopback, taken);
        holder.Start();
        plane.Set("1", Listener("l", _port, "c"), StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        plane.Set("2", Listener("l", _port, "c"), Listener("l2", taken, "c"), StaticCluster("c", _blue.Address));
        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", plane.Said);
        plane.Refusals[0].ShouldStartWith("Listener/l2: address: ");
        plane.Refusals[0].ShouldContain($"127.0.0.1:{taken}");
        plane.Refusals[0].Split('\n').Length.ShouldBe(1, "the other listener is good");
        (await proxy.PageAsync("/config_dump?resource=dynamic_listeners")).ShouldContain("warming_state");
        await SaysAsync(proxy, _port, "blue ");
        holder.Stop();
        await SaysAsync(proxy, taken, "blue ");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ClusterRemovedBeforeItsListener_EndsNoOpenConnection_AndClosesNewOnesUntilItIsBack(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("l", _port, "c"), StaticCluster("c", _blue.Address), StaticCluster("other", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        using Client open = await Client.ConnectAsync(_port);
        (await open.ReadAsync("blue ")).ShouldBe("blue ");

        plane.Set("2", Listener("l", _port, "c"), StaticCluster("other", _blue.Address));
        await ClosesAsync(proxy, _port);
        await Patience.UntilAsync(async () => await proxy.StatAsync($"listener.127.0.0.1_{_port}.downstream_cx_response_flag_NC") > 0, "it is counted");
        (await open.EchoAsync("still here")).ShouldBe("still here");

        plane.Set("3", Listener("l", _port, "c"), StaticCluster("c", _teal.Address), StaticCluster("other", _blue.Address));
        await SaysAsync(proxy, _port, "teal ");
        plane.Set("4", StaticCluster("other", _blue.Address));
        await RefusesAsync(proxy, _port);
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ListenerMovedToANewCluster_InTheOrderOfMakeBeforeBreak_NeverClosesAConnection(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("0", Listener("l", _port, "c0"), StaticCluster("c0", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        for (int i = 1; i <= 10; i++)
        {
            plane.Set($"{i} both", Listener("l", _port, $"c{i - 1}"), StaticCluster($"c{i - 1}", _blue.Address), StaticCluster($"c{i}", _blue.Address));
            plane.Set($"{i} moved", Listener("l", _port, $"c{i}"), StaticCluster($"c{i - 1}", _blue.Address), StaticCluster($"c{i}", _blue.Address));
            plane.Set($"{i} gone", Listener("l", _port, $"c{i}"), StaticCluster($"c{i}", _blue.Address));
            for (int j = 0; j < 20; j++)
            {
                using Client client = await Client.ConnectAsync(_port);
                (await client.ReadAsync("blue ")).ShouldBe("blue ");
            }
        }

        (await proxy.StatAsync($"listener.127.0.0.1_{_port}.downstream_cx_response_flag_NC")).ShouldBe(0);
        plane.Refusals.ShouldBeEmpty();
    }

    private static void Heartbeat(ControlPlane plane, string name, int milliseconds) => plane.Tell(new JsonObject
    {
        ["do"] = "heartbeat", ["type"] = "type.googleapis.com/envoy.config.listener.v3.Listener", ["name"] = name, ["ttl"] = milliseconds,
    });

    private static Cluster Static(string name, EndPoint endpoint)
    {
        var ip = (IPEndPoint)endpoint;
        var address = new Address { SocketAddress = new SocketAddress { Address = ip.Address.ToString(), PortValue = (uint)ip.Port } };
        var assignment = new ClusterLoadAssignment { ClusterName = name, Endpoints = { new LocalityLbEndpoints { LbEndpoints = { new LbEndpoint { Endpoint = new Endpoint { Address = address } } } } } };
        return new Cluster { Name = name, ConnectTimeout = new Duration { Seconds = 1 }, LoadAssignment = assignment };
    }

    private Task<ProxyProcess> StartAsync(string api, ControlPlane plane)
    {
        _bootstrap.Ads(api, plane.Port);
        return ProxyProcess.StartAsync(_bootstrap);
    }
}

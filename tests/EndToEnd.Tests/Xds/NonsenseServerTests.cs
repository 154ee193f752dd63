using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>What listens where a control plane was meant is left for the next server, told of once, and tried again.</summary>
public sealed class NonsenseServerTests : IDisposable
{
    private readonly Peer _blue = Peer.Banner("blue "), _teal = Peer.Banner("teal ");
    private readonly int _port = Bootstrap.FreePort();

    public void Dispose()
    {
        _blue.Dispose();
        _teal.Dispose();
    }

    [Theory]
    [InlineData("closes at once")]
    [InlineData("random bytes")]
    [InlineData("HTTP/1.1")]
    [InlineData("a frame of 16 MB")]
    [InlineData("a message of 2 GB")]
    [InlineData("HTML")]
    [InlineData("status 503")]
    [InlineData("trailers without end")]
    public async Task Nonsense_IsLeftForTheNextServer_AndTriedAgain(string kind)
    {
        using var nonsense = new NonsenseServer(kind);
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("l", _port, "c"), StaticCluster("c", _blue.Address));
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", nonsense.Port, plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        await proxy.TellsAsync("no control plane at xds0");
        nonsense.WasSwallowed.ShouldBeFalse("64 MB of trailers were read");

        plane.Tell(new JsonObject { ["do"] = "end" });
        await Patience.UntilAsync(() => nonsense.Connections >= 2, "it is tried again", () => proxy.Said);
        plane.Set("2", Listener("l", _port, "c"), StaticCluster("c", _teal.Address));
        await SaysAsync(proxy, _port, "teal ");
        (await proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task NameThatComesTwice_IsRefused_AndTheOthersServe(string api)
    {
        const string type = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("l", _port, "c"), StaticCluster("c", _blue.Address));
        var bootstrap = new Bootstrap();
        bootstrap.Ads(api, plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await SaysAsync(proxy, _port, "blue ");

        // Field 1 of a cluster is its name; without endpoints it is STATIC and empty.
        JsonObject One(string name) => new() { ["type_url"] = type, ["name"] = name, ["value"] = Convert.ToBase64String([0x0a, (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name)]) };
        plane.Tell(new JsonObject
        {
            ["do"] = "raw", ["type"] = type, ["nonce"] = "twice", ["version"] = "2", ["any"] = new JsonArray(One("c"), One("same"), One("good"), One("same")),
        });
        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", plane.Said);
        plane.Refusals[0].ShouldContain("Cluster/same: ");
        plane.Refusals[0].ShouldNotContain("Cluster/good: ");
        string clusters = await proxy.PageAsync("/clusters");
        clusters.ShouldContain("good::");
        clusters.ShouldNotContain("same::");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task ResourceOfFourMegabytes_Serves(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonObject endpoints = Endpoints("c", _blue.Address);
        endpoints["endpoints"]![0]!["lb_endpoints"]![0]!["metadata"] = new JsonObject
        {
            ["filter_metadata"] = new JsonObject { ["padding"] = new JsonObject { ["text"] = new string('p', 4 << 20) } },
        };
        plane.SetCanonical("1", [Listener("l", _port, "c"), EdsCluster("c"), endpoints]);
        var bootstrap = new Bootstrap();
        bootstrap.Ads(api, plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        plane.Refusals.ShouldBeEmpty();
        plane.Change("2", [Endpoints("c", _teal.Address)]);
        await SaysAsync(proxy, _port, "teal ");
    }
}

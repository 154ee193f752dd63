using System.Text;
using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>A control plane that talks nonsense, forgets, or is not there does no harm to what runs.</summary>
public sealed class SurvivalTests : IDisposable
{
    private const string ClusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly Peer _teal = Peer.Banner("teal ");
    private readonly int _port = Bootstrap.FreePort();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("meshl4-saved-");

    public void Dispose()
    {
        _blue.Dispose();
        _teal.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task Nonsense_LeavesTheRunningConfiguration_AndSenseIsTakenAfterwards(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("l", _port, "c"), StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        using Client open = await Client.ConnectAsync(_port);
        (await open.ReadAsync("blue ")).ShouldBe("blue ");

        string junk = Convert.ToBase64String([0x0a, 0xff, 0xff, 0xff, 0x7f]), huge = Convert.ToBase64String(Huge());
        Raw(plane, "type.googleapis.com/no.such.Type", "n1", (ClusterType, "x", junk));
        Raw(plane, ClusterType, "n2", (ClusterType, "x", junk), ("type.googleapis.com/other.Type", "y", ""), (ClusterType, "z", huge));
        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", () => plane.Said() + proxy.Said);
        plane.Refusals[0].ShouldContain("is a 'type.googleapis.com/other.Type' where a '" + ClusterType + "' belongs");
        Encoding.UTF8.GetByteCount(plane.Refusals[0]).ShouldBeLessThanOrEqualTo(4096);
        plane.Tell(new JsonObject { ["do"] = "bytes", ["data"] = Convert.ToBase64String(Encoding.UTF8.GetBytes("\xff\xff no message at all")) });
        await Patience.UntilAsync(() => plane.Events.Count(e => (string?)e["event"] == "open") > 1, "a new stream", () => plane.Said() + proxy.Said);

        await SaysAsync(proxy, _port, "blue ");
        (await open.EchoAsync("still here")).ShouldBe("still here");
        plane.Set("2", Listener("l", _port, "c"), StaticCluster("c", _teal.Address));
        await SaysAsync(proxy, _port, "teal ");
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task HundredsOfUpdates_CostNoOpenConnection(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("0", Listener("l", _port, "c"), EdsCluster("c"), Endpoints("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        List<Client> open = [];
        for (int i = 0; i < 50; i++)
        {
            open.Add(await Client.ConnectAsync(_port));
            (await open[i].ReadAsync("blue ")).ShouldBe("blue ");
        }

        int[] ports = [.. Enumerable.Range(0, 20).Select(_ => Bootstrap.FreePort())];
        for (int i = 1; i <= 300; i++)
        {
            string other = "c" + (i % 20);
            plane.Set(
                $"{i}", Listener("l", _port, "c"), Listener("l2", ports[i % 20], other), EdsCluster("c"), EdsCluster(other),
                Endpoints("c", i % 2 == 0 ? _blue.Address : _teal.Address), Endpoints(other, _blue.Address));
        }

        plane.Set("last", Listener("l", _port, "c"), EdsCluster("c"), Endpoints("c", _teal.Address));
        await SaysAsync(proxy, _port, "teal ");
        foreach (Client client in open)
        {
            (await client.EchoAsync("still here")).ShouldBe("still here");
            client.Dispose();
        }

        plane.Refusals.ShouldBeEmpty();
        await RefusesAsync(proxy, ports[300 % 20]);
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task TimeToLive_RunsOut_AndTheResourceGoes(string api)
    {
        int second = Bootstrap.FreePort();
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonObject mortal = Listener("l2", second, "c");
        mortal["$ttl"] = 3_600_000;
        plane.Set("1", Listener("l", _port, "c"), mortal, StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, second, "blue ");
        mortal["filter_chains"]![0]!["name"] = "another version";
        mortal["$ttl"] = 500;
        plane.Set("2", Listener("l", _port, "c"), mortal, StaticCluster("c", _blue.Address));
        await RefusesAsync(proxy, second);
        await SaysAsync(proxy, _port, "blue ");
        plane.Refusals.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task NoControlPlaneAtStart_TheResourcesSavedLastServe_UntilOneAnswers(string api)
    {
        string saved = Path.Combine(_folder.FullName, "last");
        int port, stale = Bootstrap.FreePort();
        await using (ControlPlane plane = await ControlPlane.StartAsync())
        {
            port = plane.Port;
            plane.Set("1", Listener("l", _port, "c"), Listener("stale", stale, "c"), EdsCluster("c"), Endpoints("c", _blue.Address));
            await using ProxyProcess before = await ProxyProcess.StartAsync(Keeping(api, port, saved));
            await SaysAsync(before, _port, "blue ");
            await Patience.UntilAsync(() => File.Exists(saved) && File.ReadAllText(saved).Contains("stale", StringComparison.Ordinal), "it is saved", () => before.Said);
        }

        await using ProxyProcess proxy = await ProxyProcess.StartAsync(Keeping(api, port, saved));
        await SaysAsync(proxy, _port, "blue ");
        await SaysAsync(proxy, stale, "blue ");
        JsonNode info = JsonNode.Parse(await proxy.PageAsync("/server_info"))!;
        ((bool)info["last_known_good"]!["in_use"]!).ShouldBeTrue();

        await using ControlPlane again = await ControlPlane.StartAsync($"127.0.0.1:{port}");
        again.Set("2", Listener("l", _port, "c"), EdsCluster("c"), Endpoints("c", _teal.Address));
        await SaysAsync(proxy, _port, "teal ");
        await RefusesAsync(proxy, stale);
        info = JsonNode.Parse(await proxy.PageAsync("/server_info"))!;
        ((bool)info["last_known_good"]!["in_use"]!).ShouldBeFalse();
    }

    [Fact]
    public async Task ClusterWithoutEndpoints_StandsInInitDump_AndHoldsListenersUpNoLongerThanItsTime()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        JsonObject waiting = EdsCluster("waits");
        waiting["eds_cluster_config"]!["eds_config"]!["initial_fetch_timeout"] = new JsonObject { ["seconds"] = 10 };
        plane.Set("1", Listener("l", _port, "c"), EdsCluster("c"), Endpoints("c", _blue.Address), waiting);
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        Task<ProxyProcess> starting = ProxyProcess.StartAsync(bootstrap);
        using var admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{bootstrap.AdminPort}") };
        string dump = "";
        await Patience.UntilAsync(
            async () =>
            {
                try
                {
                    return (dump = await admin.GetStringAsync("/init_dump")).Contains("waits", StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            "the cluster is waited for",
            () => dump);
        await using ProxyProcess proxy = await starting;
        await SaysAsync(proxy, _port, "blue ");
        (await proxy.PageAsync("/init_dump")).ShouldNotContain("waits");
        await proxy.TellsAsync("1 clusters serve without endpoints, none came in time: waits");
    }

    private static Task<ProxyProcess> StartAsync(string api, ControlPlane plane)
    {
        var bootstrap = new Bootstrap();
        bootstrap.Ads(api, plane.Port);
        return ProxyProcess.StartAsync(bootstrap);
    }

    private static Bootstrap Keeping(string api, int port, string file)
    {
        var bootstrap = new Bootstrap();
        bootstrap.Ads(api, port);
        bootstrap.Extension("control_plane", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, snapshot_file: {file}, snapshot_wait: 1s");
        return bootstrap;
    }

    private static void Raw(ControlPlane plane, string type, string nonce, params (string Type, string Name, string Value)[] resources) => plane.Tell(new JsonObject
    {
        ["do"] = "raw", ["type"] = type, ["nonce"] = nonce, ["version"] = "raw",
        ["any"] = new JsonArray([.. resources.Select(one => new JsonObject { ["type_url"] = one.Type, ["name"] = one.Name, ["value"] = one.Value })]),
    });

    /// <summary>A cluster whose name (field 1) has four megabytes.</summary>
    private static byte[] Huge()
    {
        byte[] name = new byte[4 << 20];
        Array.Fill(name, (byte)'n');
        return [0x0a, 0x80, 0x80, 0x80, 0x02, .. name];
    }
}

using System.Net;
using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Ten thousand clusters in one push, and a hundred changes a second among them, under open connections.</summary>
public sealed class ManyClustersTests : IDisposable
{
    private const int Clusters = 10_000, Open = 50, Updates = 1000;
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly Peer _teal = Peer.Banner("teal ");
    private readonly int _port = Bootstrap.FreePort();

    public void Dispose()
    {
        _blue.Dispose();
        _teal.Dispose();
    }

    [Fact]
    public async Task TenThousandClustersAtOnce_ThenAHundredChangesASecond_TheLastOfEachRunsAndNoConnectionIsLost()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.SetCanonical("0", [Listener("l", _port, Name(0)), EdsCluster(Name(0)), Endpoints(Name(0), _blue.Address)]);
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        Client[] open = await OpenAsync();

        Dictionary<string, string> expected = Enumerable.Range(1, Clusters - 1).ToDictionary(Name, static n => $"{Address(n, 8000)}");
        plane.Change("all", Enumerable.Range(1, Clusters - 1).SelectMany(static n => (JsonNode[])[EdsCluster(Name(n)), Endpoints(Name(n), Address(n, 8000))]));
        await RunsAsync(plane, proxy, expected);

        for (int i = 1; i <= Updates; i++)
        {
            int cluster = 1 + (i * 31 % (Clusters - 1));
            IPEndPoint address = Address(cluster, 9000 + (i % 1000));
            expected[Name(cluster)] = $"{address}";
            plane.Change($"{i}", [Endpoints(Name(cluster), address), Endpoints(Name(0), i % 2 == 0 ? _blue.Address : _teal.Address)]);
            await Task.Delay(10);
        }

        plane.Change("last", [Endpoints(Name(0), _teal.Address)]);
        await RunsAsync(plane, proxy, expected);
        await SaysAsync(proxy, _port, "teal ");
        foreach (Client client in open)
        {
            (await client.EchoAsync("still here")).ShouldBe("still here");
            client.Dispose();
        }

        plane.Refusals.ShouldBeEmpty();
        (await proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
    }

    private async Task<Client[]> OpenAsync()
    {
        var open = new Client[Open];
        for (int i = 0; i < Open; i++)
        {
            open[i] = await Client.ConnectAsync(_port);
            (await open[i].ReadAsync("blue ")).ShouldBe("blue ");
        }

        return open;
    }

    /// <summary>Every cluster has the one endpoint that it was told last; each wait is for progress, since ten thousand take a busy machine a while.</summary>
    private static async Task RunsAsync(ControlPlane plane, ProxyProcess proxy, Dictionary<string, string> expected)
    {
        int right = -1;
        while (right < expected.Count)
        {
            int before = right;
            await Patience.UntilAsync(
                async () => (right = Right(await proxy.PageAsync("/clusters"), expected)) > before,
                $"more than {before} of {expected.Count} clusters are as told",
                () => string.Join('\n', plane.Refusals) + proxy.Said);
        }
    }

    /// <summary>How many clusters have exactly the address they should have.</summary>
    private static int Right(string page, Dictionary<string, string> expected)
    {
        HashSet<(string, string)> runs = [.. page.Split('\n').Select(static line => line.Split("::")).Where(static parts => parts is [_, _, "cx_active", ..]).Select(static parts => (parts[0], parts[1]))];
        return expected.Count(one => runs.Contains((one.Key, one.Value)) && runs.Count <= expected.Count + 2);
    }

    private static string Name(int number) => $"outbound-{number}";

    private static IPEndPoint Address(int number, int port) => new(IPAddress.Parse($"10.{number >> 8}.{number & 255}.1"), port);
}

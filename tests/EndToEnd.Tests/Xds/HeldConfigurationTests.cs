using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.TestKit.XdsResources;
using Bootstrap = MeshL4.TestKit.Bootstrap;
using Peer = MeshL4.EndToEnd.Tests.Behaviours.Stage.Peer;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>
/// Connections that stay do not keep in memory what updates replace. Each of them began under another configuration: one that held its own
/// would hold a thousand clusters of its own.
/// </summary>
public sealed class HeldConfigurationTests : IDisposable
{
    private const int Clusters = 1000, EndpointsEach = 10, Connections = 25;

    /// <summary>A version of all clusters takes about 3 MB, the versions of all connections 75.</summary>
    private const long Slack = 24 << 20;

    private readonly Peer _redis = Peer.Redis();
    private readonly int _port = Bootstrap.FreePort();

    public void Dispose() => _redis.Dispose();

    [Theory]
    [InlineData("relayed")]
    [InlineData("redis")]
    public Task ConnectionsOfManyVersions_HoldNoneOfThem(string protocol) => HoldNoneAsync(
        protocol, [StaticCluster("used", IPEndPoint.Parse(_redis.Address)), .. Enumerable.Range(0, Clusters).Select(static n => EdsCluster(Name(n)))], Everybody);

    /// <summary>Their own server stays; behind it, where nobody looks while it is there, six thousand others change.</summary>
    [Theory]
    [InlineData("relayed")]
    [InlineData("redis")]
    public Task ConnectionsOfManyVersionsOfTheirOwnCluster_HoldNoneOfThem(string protocol) => HoldNoneAsync(protocol, [EdsCluster("used"), EdsCluster(Name(0))], Own);

    private async Task HoldNoneAsync(string protocol, JsonNode[] clusters, Func<int, IEnumerable<JsonNode>> version)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("0", [
            protocol == "redis" ? WithFilters(Listener("l", _port, ""), Redis) : Listener("l", _port, "used"), .. clusters, .. version(0)]);
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await RunsAsync(plane, proxy, 0);
        long before = await AllocatedAsync(proxy);

        var clients = new List<Call>();
        for (int round = 1; round <= Connections; round++)
        {
            clients.Add(Call.To(_port));
            clients[^1].Ask("SET round " + round).ShouldBe("+OK");
            plane.Change($"{round}", version(round));
            await RunsAsync(plane, proxy, round);
        }

        // The collector looks when an update comes, and an idle client now and then.
        long now = 0;
        int again = Connections;
        await Patience.UntilAsync(
            async () =>
            {
                plane.Change("again", [At(0, ++again)]);
                return (now = await AllocatedAsync(proxy)) < before + Slack;
            },
            "what was replaced is given back", () => $"before: {before}, now: {now}");
        clients.ForEach(static client => client.Ask("STRLEN round").ShouldBe(":2"));
        clients.ForEach(static client => client.Dispose());
        plane.Refusals.ShouldBeEmpty();
    }

    private static IEnumerable<JsonNode> Everybody(int round) => Enumerable.Range(0, Clusters).Select(n => At(n, round));

    private IEnumerable<JsonNode> Own(int round)
    {
        JsonObject own = Endpoints("used", IPEndPoint.Parse(_redis.Address));
        JsonObject others = Endpoints(
            "used", [.. Enumerable.Range(0, 6000).Select(i => new IPEndPoint(IPAddress.Parse($"10.200.{i >> 8}.{i & 255}"), 8000 + round))]);
        JsonNode behind = others["endpoints"]![0]!.DeepClone();
        behind["priority"] = 1;
        own["endpoints"]!.AsArray().Add(behind);
        return [own, At(0, round)];
    }

    private static JsonObject Redis => new()
    {
        ["name"] = "rpc",
        ["typed_config"] = TypedStructs.Of("meshl4.xrpc.v1.XRpcProxy", """{"stat_prefix": "x", "codec": "redis", "route_config": {"routes": [{"forward": {"cluster": "used"}}]}}"""),
    };

    private static string Name(int number) => $"service-{number}";

    private static JsonObject At(int number, int round) => Endpoints(
        Name(number), [.. Enumerable.Range(1, EndpointsEach).Select(i => new IPEndPoint(IPAddress.Parse($"10.{number >> 8}.{number & 255}.{i}"), 8000 + round))]);

    private Task RunsAsync(ControlPlane plane, ProxyProcess proxy, int round) => Patience.UntilAsync(
        async () => (await proxy.PageAsync("/clusters")).Contains($"::10.0.0.1:{8000 + round}::cx_active", StringComparison.Ordinal)
            && (await proxy.PageAsync("/listeners")).Contains($":{_port}", StringComparison.Ordinal),
        $"round {round} runs", () => string.Join('\n', plane.Refusals) + proxy.Said);

    private static async Task<long> AllocatedAsync(ProxyProcess proxy)
        => long.Parse((string)JsonNode.Parse(await proxy.PageAsync("/memory"))!["allocated"]!, CultureInfo.InvariantCulture);
}

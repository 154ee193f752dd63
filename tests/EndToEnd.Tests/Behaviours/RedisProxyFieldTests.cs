using System.Diagnostics;
using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Fields of Envoy's <c>redis_proxy</c> at a real server.</summary>
public sealed class RedisProxyFieldTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly int _port = Ports.Free();

    [Fact]
    public void RemovedPrefix_StaysAwayFromKeysInAnswers()
    {
        using Sidecar proxy = Start("prefix_routes: {routes: [{prefix: 'a:', remove_prefix: true, cluster: main}], catch_all_route: {cluster: main}}");
        using Call client = Call.To(_port);
        client.Ask("SET a:k v").ShouldBe("+OK");
        Lines(client, "KEYS *", 3).ShouldBe(["*1", "$1", "k"]);
        Lines(client, "RANDOMKEY", 2).ShouldBe(["$1", "k"]);
        client.Send(RedisFront.Command("SCAN", "0"));
        string[] scanned = [.. Enumerable.Range(0, 6).Select(_ => client.ReadLine()!)];
        scanned[3..].ShouldBe(["*1", "$1", "k"]);
        client.Ask("DEL a:k").ShouldBe(":1");
        client.Ask("RPUSH a:list item").ShouldBe(":1");
        Lines(client, "BLPOP a:list 0", 5).ShouldBe(["*2", "$4", "list", "$4", "item"]);
    }

    [Fact]
    public void ConnectionRateLimit_BoundsTheConnectionsThatServersSee()
    {
        using Sidecar proxy = Start("prefix_routes: {catch_all_route: {cluster: main}}", ", connection_rate_limit: {connection_rate_limit_per_sec: 1}");
        long start = Stopwatch.GetTimestamp();
        List<Call> clients = [.. Enumerable.Range(0, 30).Select(_ => Call.To(_port))];

        // Each needs a connection of its own.
        clients.ForEach(static client => client.Send(RedisFront.Command("BLPOP", "nothing", "0")));
        List<Call> refused = [];
        Wait.Until(() => (refused = [.. clients.Where(static client => client.Socket.Poll(0, System.Net.Sockets.SelectMode.SelectRead))]).Count > 0, "nobody is refused");
        refused.ForEach(static client => client.ReadLine()!.ShouldBe("-ERR MeshL4: no connection to the upstream: connection_rate_limit is reached"));

        // One a second on each of two loops, a begun second at either end.
        long connections = proxy.Stat("cluster.main.upstream_cx_total");
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        connections.ShouldBeGreaterThan(0);
        connections.ShouldBeLessThanOrEqualTo(2 * ((long)seconds + 2));
        clients.ForEach(static client => client.Dispose());
    }

    [Fact]
    public void DelayFaultOfNothing_IsNone()
    {
        using Sidecar proxy = Start("faults: [{fault_enabled: {default_value: {numerator: 100}}, delay: 0s}], prefix_routes: {catch_all_route: {cluster: main, request_mirror_policy: [{cluster: main}]}}");
        using Call client = Call.To(_port);
        client.Ask("INCR n").ShouldBeOneOf(":1", ":2");
        Wait.Until(() => proxy.Stat("redis.x.downstream_rq_mirrored") == 1, "no copy");
        proxy.Stat("redis.x.error_fault").ShouldBe(0);
    }

    [Theory]
    [InlineData("{fault_type: ERROR, fault_enabled: {default_value: {numerator: 50}}, commands: [get]}, {fault_type: ERROR, fault_enabled: {default_value: {numerator: 50}}, commands: [GET]}")]
    [InlineData("{fault_type: ERROR, fault_enabled: {default_value: {numerator: 50}}}, {fault_type: ERROR, fault_enabled: {default_value: {numerator: 50}}, commands: [get]}")]
    public void Faults_OfOneCommand_AddUp(string faults)
    {
        using Sidecar proxy = Start($"faults: [{faults}], prefix_routes: {{catch_all_route: {{cluster: main}}}}");
        using Call client = Call.To(_port);
        for (int i = 0; i < 100; i++)
        {
            client.Ask("GET k").ShouldBe("-Fault Injected: Error");
        }
    }

    [Fact]
    public void FaultOfTheCommand_GoesBeforeThoseForAll()
    {
        using Sidecar proxy = Start(
            "faults: [{fault_type: ERROR, fault_enabled: {default_value: {numerator: 100}}}, {fault_enabled: {default_value: {numerator: 100}}, delay: 0.001s, commands: [get]}], "
            + "prefix_routes: {catch_all_route: {cluster: main}}");
        using Call client = Call.To(_port);
        for (int i = 0; i < 20; i++)
        {
            client.Ask("GET k").ShouldBe("$-1");
        }

        client.Ask("SET k 1").ShouldBe("-Fault Injected: Error");
        proxy.Stat("redis.x.delay_fault").ShouldBe(20);
    }

    public void Dispose() => _redis.Dispose();

    private static string[] Lines(Call client, string command, int count)
    {
        client.Send(RedisFront.Command(command.Split(' ')));
        return [.. Enumerable.Range(0, count).Select(_ => client.ReadLine()!)];
    }

    private Sidecar Start(string members, string settings = "") => Sidecar.Start(new Boot()
        .Listen("l", _port, Boot.Chain(
            "{name: redis, typed_config: {'@type': type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy, stat_prefix: x, "
            + $"settings: {{op_timeout: 60s{settings}}}, {members}}}}}"))
        .With(Boot.Cluster("main", [_redis.Address])));
}

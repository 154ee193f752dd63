using MeshL4.Samples.PingPong.Peers;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>How long a request may take with all its tries, and how many of those there may be at a time.</summary>
public sealed class RequestTimeTests
{
    private const string TwoServers = "{forward: {cluster: both}}";
    private const string Late = "proxy: no answer in time";

    /// <summary>A third retry would begin after 6 s, a second try without a time of its own after 1 s.</summary>
    [Theory]
    [InlineData("timeout: 1s, retry: {num_retries: 3}", 0, 0)]
    [InlineData("timeout: 5s, retry: {num_retries: 3, per_try_timeout: 2s}", 1, 2)]
    [InlineData("timeout: 1s, retry: {num_retries: 3, per_try_timeout: 0.3s}, hedge: {delay: 0.2s}", 0, 0)]
    public async Task Timeout_IsThatOfAllTriesTogether(string policies, long atLeast, long atMost)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers, $", policies: {{{policies}}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(Call(1, "never") with { IsIdempotent = true });

        (await Next(client)).Payload.ShouldBe(Late);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry")).ShouldBeInRange(atLeast, atMost);
    }

    /// <summary>Servers take turns: one of two calls goes to the frozen one first.</summary>
    [Theory]
    [InlineData("")]
    [InlineData("timeout: 50s, ")]
    public async Task PerTryTimeout_HasTheOtherServerAsked(string timeout)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers, $", policies: {{{timeout}retry: {{per_try_timeout: 3s}}}}");
        mesh.Server.IsFrozen = true;
        PingPongConnection client = mesh.Connect();

        for (uint id = 1; id <= 2; id++)
        {
            await client.WriteAsync(Call(id, "echo", $"call {id}") with { IsIdempotent = true });
            (await Next(client)).Payload.ShouldBe($"call {id}");
        }

        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry")).ShouldBe(1);
        mesh.Server.Waiting.ShouldBe(1);
    }

    /// <summary>One call at a time has one retry in flight, whatever share of one request that is.</summary>
    [Fact]
    public async Task DeadServerOfTwo_CostsNoCallThatMayBeTriedAgain()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: half}}", ", policies: {retry: {num_retries: 2}}");
        PingPongConnection client = mesh.Connect();

        for (uint id = 1; id <= 40; id++)
        {
            await client.WriteAsync(Call(id, "echo", $"call {id}") with { IsIdempotent = true });
            (await Next(client)).Payload.ShouldBe($"call {id}");
        }

        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry")).ShouldBeGreaterThan(10);
    }

    /// <summary>Four calls are late together: as many are tried again as may be, and the others are not.</summary>
    [Theory]
    [InlineData("budget_percent: {value: 0}, min_retry_concurrency: 1", 1)]
    [InlineData("budget_percent: {value: 50}, min_retry_concurrency: 0", 2)]
    [InlineData("budget_percent: {value: 0}", 3)]
    public async Task Retries_InFlight_AreBoundedByTheBudget(string budget, long retries)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers, $", policies: {{retry: {{per_try_timeout: 1s, {budget}}}}}");
        mesh.Server.IsFrozen = mesh.Other.IsFrozen = true;
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync([.. Enumerable.Range(1, 4).Select(static id => Call((uint)id, "echo") with { IsIdempotent = true })]);

        for (int i = 0; i < 4; i++)
        {
            (await Next(client)).Payload.ShouldBe(Late);
        }

        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry")).ShouldBe(retries);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry_overflow")).ShouldBe(4 - retries);
    }

    /// <summary>In a protocol with ids nobody stays with a cluster.</summary>
    [Fact]
    public async Task WeightedClusters_AreDrawnForEachCall()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{forward: {weighted_clusters: {clusters: [{name: main, weight: 1}, {name: other, weight: 1}]}}}");
        PingPongConnection client = mesh.Connect();
        var names = new HashSet<string>();
        for (uint id = 1; id <= 64; id++)
        {
            names.Add((await CallAsync(client, id, "who")).Payload.Split(' ')[0]);
        }

        names.Count.ShouldBe(2);
    }
}

using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>The sample protocol through a real proxy when one side does not behave: the call is answered, the connection and the others go on.</summary>
public sealed class PingPongFailureTests
{
    [Fact]
    public async Task HeadThatNeverEnds_EndsWithTheIdleTimeout()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(more: ", idle_timeout: 0.5s");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(PingPongConnection.Bytes(Call(1, "echo"))[..7]);

        (await EndsAsync(client)).ShouldBeTrue();
        mesh.Server.Accepted.ShouldBe(0);
    }

    [Fact]
    public async Task Call_WithNobodyToAnswer_GetsAFailureWithItsId()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: gone}, forward: {cluster: nobody}}, {match: {key_prefix: e}, forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        PingPongMessage refused = await CallAsync(client, 77, "gone");
        (refused.Kind, refused.Id).ShouldBe((PingPongKind.Failure, 77u));
        PingPongMessage noRoute = await CallAsync(client, 78, "unrouted");
        (noRoute.Kind, noRoute.Id, noRoute.Payload).ShouldBe((PingPongKind.Failure, 78u, "proxy: no route"));
        (await CallAsync(client, 79, "echo", "still here")).Payload.ShouldBe("still here");
    }

    [Fact]
    public async Task Call_WithoutAnAnswerInTime_GetsAFailure_AndTheConnectionGoesOn()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: never}, forward: {cluster: main}, policies: {timeout: 0.5s}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        PingPongMessage late = await CallAsync(client, 3, "never");
        (late.Kind, late.Id, late.Payload).ShouldBe((PingPongKind.Failure, 3u, "proxy: no answer in time"));
        (await CallAsync(client, 3, "echo", "again")).Payload.ShouldBe("again");
        mesh.Server.Accepted.ShouldBe(1);
    }

    [Theory]
    [InlineData("close")]
    [InlineData("partial")]
    [InlineData("garbage")]
    public async Task Server_ThatBreaksItsConnection_CostsTheCallsInFlightOnly(string service)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        PingPongConnection other = mesh.Connect();
        (await CallAsync(other, 1, "echo", "before")).Payload.ShouldBe("before");

        PingPongMessage failed = await CallAsync(client, 9, service);

        (failed.Kind, failed.Id).ShouldBe((PingPongKind.Failure, 9u));
        (await CallAsync(client, 10, "echo", "after")).Payload.ShouldBe("after");
        (await CallAsync(other, 2, "echo", "after")).Payload.ShouldBe("after");
    }

    /// <summary>What was passed on are whole frames: the call alone fails, and is not asked for again, or its items would come twice.</summary>
    [Theory]
    [InlineData("stuck", "proxy: no answer in time")]
    [InlineData("bulkstuck", "proxy: no answer in time")]
    [InlineData("broken", "proxy: the upstream closed the connection")]
    [InlineData("bulkbroken", "proxy: the upstream closed the connection")]
    public async Task Stream_ThatFailsBehindItsFirstItems_EndsWithAFailure_AndTheConnectionGoesOn(string service, string words)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {methods: [subscribe]}, forward: {cluster: other}, policies: {timeout: 3s, retry: {num_retries: 1, budget_percent: {value: 100}}}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 2, service, "2") { IsIdempotent = true });

        PingPongMessage[] items = [await Next(client), await Next(client)];
        items.Select(static item => (item.Kind, item.Id, item.Payload.Trim())).ShouldBe([(PingPongKind.Item, 2u, "2"), (PingPongKind.Item, 2u, "1")]);
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Failure, 2, "", words));
        (await CallAsync(client, 3, "echo", "still here")).Payload.ShouldBe("still here");
        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry")).ShouldBe(0);
    }

    [Fact]
    public async Task Server_ThatGoesAway_AnswersWhatItHasAndGetsNoMore()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "away", "last")).Payload.ShouldBe("last");
        (await CallAsync(client, 2, "echo", "first")).Payload.ShouldBe("first");

        mesh.Server.Accepted.ShouldBe(2);
    }

    /// <summary>However many such connections somebody still waits on: none of them gets a call more.</summary>
    [Fact]
    public async Task Server_ThatGoesAwayAgainAndAgain_GetsEachCallOnAConnectionThatTakesSome()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        for (uint round = 1; round <= 8; round++)
        {
            await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 100 + round, "stuck", "1"));
            (await Next(client)).Kind.ShouldBe(PingPongKind.Item);
            (await CallAsync(client, round, "away", "last")).Payload.ShouldBe("last");
            (await CallAsync(client, 10 + round, "echo", "first")).Payload.ShouldBe("first");
            mesh.Server.Accepted.ShouldBe((int)round + 1);
        }
    }

    /// <summary>Each has somebody who waits for long. There are places again when those are gone.</summary>
    [Fact]
    public async Task Server_ThatGoesAwayAgainAndAgain_HasABoundedNumberOfConnections()
    {
        const uint Most = 16;
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(loops: 1);
        PingPongConnection client = mesh.Connect();
        for (uint round = 1; round <= Most; round++)
        {
            await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 100 + round, "stuck", "1"));
            (await Next(client)).Kind.ShouldBe(PingPongKind.Item);
            (await CallAsync(client, round, "away", "last")).Payload.ShouldBe("last");
        }

        PingPongConnection other = mesh.Connect();
        (await CallAsync(other, 1, "echo", "one more")).Payload.ShouldStartWith("no connection to the upstream: its server takes no more requests");
        mesh.Server.Accepted.ShouldBe((int)Most);

        client.Reset();
        await Patience.UntilAsync(async () => (await CallAsync(other, 2, "echo", "one more")).Payload == "one more", "there is a place again", () => mesh.Proxy.Said);
    }

    [Fact]
    public async Task Client_ThatSendsNoFrames_IsClosed_AndTheOthersGoOn()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection other = mesh.Connect();
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "echo", "known")).Payload.ShouldBe("known");

        await client.WriteAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());

        (await EndsAsync(client)).ShouldBeTrue();
        (await CallAsync(other, 1, "echo", "on")).Payload.ShouldBe("on");
        await Patience.UntilAsync(
            () => mesh.Proxy.Records().Any(static record => record.Details.StartsWith("pingpong_protocol_error", StringComparison.Ordinal)),
            "a record with the reason",
            () => string.Join('\n', mesh.Proxy.Records()));
    }

    [Fact]
    public async Task Client_ThatLeavesCallsBehind_DisturbsNobody()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection other = mesh.Connect();
        for (int i = 0; i < 20; i++)
        {
            PingPongConnection client = mesh.Connect();
            await client.WriteAsync([.. Enumerable.Range(1, 10).Select(static id => Call((uint)id, "echo", "for nobody"))]);
            client.Dispose();
            (await CallAsync(other, 5, "echo", $"mine {i}")).Payload.ShouldBe($"mine {i}");
        }
    }

    /// <summary>Nothing more comes, whether the connection was closed or reset.</summary>
    private static async Task<bool> EndsAsync(PingPongConnection client)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        try
        {
            return await client.ReadAsync(limit.Token) is null;
        }
        catch (IOException)
        {
            return true;
        }
    }
}

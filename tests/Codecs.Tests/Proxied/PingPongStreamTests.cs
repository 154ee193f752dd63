using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>What else a client asks while it has streams, or calls, that do not end: it waits for none of them.</summary>
public sealed class PingPongStreamTests
{
    private static readonly string Long = new('u', 1_500_000);

    [Fact]
    public async Task CallsBesideStreams_AreAnswered_HoweverLongTheAnswerBeforeWas()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        await SubscribeAsync(client, 40);

        (await CallAsync(client, 1, "long", "first")).Payload.Length.ShouldBe(PingPongServer.BulkItem);
        (await CallAsync(client, 2, "echo", "second")).Payload.ShouldBe("second");
        (await PingAsync(client)).Kind.ShouldBe(PingPongKind.Pong);
    }

    [Fact]
    public async Task CallsThatAreNotAnsweredYet_KeepNoOtherFromBeingAsked()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        mesh.Server.IsFrozen = true;
        const int Calls = 200;
        await client.WriteAsync([.. Enumerable.Range(1, Calls).Select(static i => Call((uint)i, "echo", $"{i}"))]);

        await Patience.UntilAsync(() => mesh.Server.Waiting == Calls, "all calls are at the server", () => $"{mesh.Server.Waiting}: {mesh.Proxy.Said}");
        (await PingAsync(client)).Kind.ShouldBe(PingPongKind.Pong);
        await mesh.Server.ThawAsync();
        for (int i = 1; i <= Calls; i++)
        {
            (await Next(client)).Payload.ShouldBe($"{i}");
        }
    }

    [Theory]
    [InlineData("echo", "{forward: {cluster: main}}")]
    [InlineData("never", "{match: {key_prefix: never}, forward: {cluster: other}}, {forward: {cluster: main}}")]
    public async Task CallBehindALongOne_WaitsForNoAnswer_AndGoesWhereItBelongs(string service, string routes)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(routes);
        PingPongConnection client = mesh.Connect();
        await SubscribeAsync(client, 1);

        await client.WriteAsync(Call(1, service, Long), Call(2, "who"));

        var answers = new Dictionary<uint, PingPongMessage>();
        for (int i = 0; i < (service == "echo" ? 2 : 1); i++)
        {
            PingPongMessage answer = await Next(client);
            answers.Add(answer.Id, answer);
        }

        answers[2].Payload.ShouldStartWith("main who");
        if (service == "echo")
        {
            answers[1].Payload.ShouldBe(Long);
        }
    }

    /// <summary>The connection of a long call is given back before its answer: nobody else has it before that came.</summary>
    [Fact]
    public async Task ConnectionOfALongCall_IsNobodyElses_BeforeItsAnswer()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        await client.WriteAsync(Call(1, "never", Long), Call(2, "echo", "short"));
        (await Next(client)).Payload.ShouldBe("short");
        mesh.Server.Accepted.ShouldBe(2);

        (await CallAsync(client, 3, "echo", Long)).Payload.ShouldBe(Long);
        mesh.Server.Accepted.ShouldBe(3);

        (await CallAsync(client, 4, "echo", Long)).Payload.ShouldBe(Long);
        mesh.Server.Accepted.ShouldBe(3);
    }

    [Fact]
    public async Task LongCallToAServerThatDoesNotRead_IsHeldToTheBound_AndEndsInTime_BesideAStreamThatFlows()
    {
        const long Body = 64 * 1024 * 1024;
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: sink}, forward: {cluster: main}, policies: {timeout: 4s}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();
        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 1, "slow", $"{int.MaxValue}"));
        (await Next(client)).Kind.ShouldBe(PingPongKind.Item);

        mesh.Server.IsDeaf = true;
        Task writing = client.WriteAsync(Call(2, "sink", new string('z', (int)Body)));
        Task<PingPongMessage> failing = UntilCallAsync(client);
        long most = 0;
        while (!failing.IsCompleted)
        {
            most = Math.Max(most, await mesh.Proxy.StatAsync("meshl4.buffer_bytes_rented"));
            await Task.Delay(20);
        }

        (await failing).ShouldBe(new PingPongMessage(PingPongKind.Failure, 2, "", "proxy: no answer in time"));
        most.ShouldBeInRange(1024 * 1024, 4 * 1024 * 1024);

        // What follows of it is nobody's, and the client goes on.
        Task rest = Task.Run(async () => await UntilCallAsync(client));
        await writing.WaitAsync(Patience.Limit);
        await client.WriteAsync(new PingPongMessage(PingPongKind.Ping, 3));
        await rest;
    }

    [Fact]
    public async Task Garbage_EndsItsClient_AndItsStreamsWithIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        await SubscribeAsync(client, 2);

        await client.WriteAsync("this is no frame at all"u8.ToArray());

        await EndsAsync(client);
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the client's connection ends", () => mesh.Proxy.Said);
        mesh.Proxy.Records()[0].Flags.ShouldBe("DPE");
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_active")).ShouldBe(0);
    }

    [Fact]
    public async Task Drain_TellsClients_AndServesThoseWithStreamsUntilNothingIsDue()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(drainSeconds: 600);
        PingPongConnection idle = mesh.Connect();
        PingPongConnection client = mesh.Connect();
        (await CallAsync(idle, 1, "echo")).Kind.ShouldBe(PingPongKind.Result);
        await SubscribeAsync(client, 1);

        mesh.Proxy.Signal("TERM");

        (await Next(idle)).Kind.ShouldBe(PingPongKind.GoAway);
        await EndsAsync(idle);
        (await Next(client)).Kind.ShouldBe(PingPongKind.GoAway);
        (await CallAsync(client, 1, "echo", "behind it")).Payload.ShouldBe("behind it");
        (await CallAsync(client, 2, "echo", Long)).Payload.ShouldBe(Long);
        (await PingAsync(client)).Kind.ShouldBe(PingPongKind.Pong);

        mesh.Server.Dispose();
        (await Next(client)).Kind.ShouldBe(PingPongKind.Failure);
        await EndsAsync(client);
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 2, "both connections end", () => mesh.Proxy.Said);
        mesh.Proxy.Records().ShouldAllBe(static record => record.Details == "drain");
    }

    [Theory]
    [InlineData(PingPongKind.Call)]
    [InlineData(PingPongKind.Notify)]
    public async Task Drain_LeavesTimeForTheRestOfAFrameThatHadBegun(PingPongKind kind)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(drainSeconds: 600);
        PingPongConnection client = mesh.Connect();
        ReadOnlyMemory<byte> calls = PingPongConnection.Bytes(Call(1, "echo"), new PingPongMessage(kind, 2, kind == PingPongKind.Call ? "echo" : "log", "in two parts"));
        await client.WriteAsync(calls[..^5]);
        (await Next(client)).Id.ShouldBe(1u);

        mesh.Proxy.Signal("TERM");
        (await Next(client)).Kind.ShouldBe(PingPongKind.GoAway);

        // So that nothing else is left that the proxy would look at this client for.
        await Task.Delay(TimeSpan.FromMilliseconds(300));
        await client.WriteAsync(calls[^5..]);

        if (kind == PingPongKind.Call)
        {
            (await Next(client)).Payload.ShouldBe("in two parts");
        }

        await EndsAsync(client);
        await Patience.UntilAsync(() => mesh.Server.Notified == (kind == PingPongKind.Notify ? 1 : 0), "the server has it", () => mesh.Proxy.Said);
    }

    /// <summary>Who cannot be told is not served on, or would never know.</summary>
    [Fact]
    public async Task Drain_OfAProtocolWithoutGoAway_EndsClientsBehindTheCallsDue_AndTheirStreamsWithThem()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "narrow", drainSeconds: 600);
        PingPongConnection client = mesh.Connect();
        await SubscribeAsync(client, 1);
        mesh.Server.IsFrozen = true;
        await client.WriteAsync(Call(1, "echo", "due"));
        await Patience.UntilAsync(() => mesh.Server.Waiting == 1, "the call is at the server", () => mesh.Proxy.Said);

        mesh.Proxy.Signal("TERM");
        await mesh.Server.ThawAsync();

        (await Next(client)).Payload.ShouldBe("due");
        await EndsAsync(client);
    }

    private static async Task EndsAsync(PingPongConnection client)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        (await client.ReadAsync(limit.Token)).ShouldBeNull();
    }

    /// <summary>So many streams that have begun and do not end.</summary>
    private static async Task SubscribeAsync(PingPongConnection client, int count)
    {
        await client.WriteAsync([.. Enumerable.Range(0, count).Select(static i => new PingPongMessage(PingPongKind.Subscribe, (uint)i + 1000, "stuck", "1"))]);
        for (int i = 0; i < count; i++)
        {
            (await Next(client)).Kind.ShouldBe(PingPongKind.Item);
        }
    }

    private static async Task<PingPongMessage> PingAsync(PingPongConnection client)
    {
        await client.WriteAsync(new PingPongMessage(PingPongKind.Ping, 999));
        return await Next(client);
    }

    /// <summary>Takes items until something else comes.</summary>
    private static async Task<PingPongMessage> UntilCallAsync(PingPongConnection client)
    {
        PingPongMessage answer;
        do
        {
            answer = await Next(client);
        }
        while (answer.Kind == PingPongKind.Item);
        return answer;
    }
}

using MeshL4.Codecs.Tests.Hosted;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>
/// Entry 1, the other half: whatever a codec throws, and wherever, ends one connection; those who wait for the same server are answered,
/// and the loop's clock goes on. All clients are on one loop and share their connections.
/// </summary>
public sealed class Entry01_CodecThatThrows
{
    private const uint Unanswerable = ThrowingCodec.Unanswerable;

    private const string Routes =
        "{match: {key_prefix: gone}, forward: {cluster: nobody}}, {match: {key_prefix: never}, forward: {cluster: main}, policies: {timeout: 0.5s}}, "
        + "{match: {key_prefix: who}, forward: {cluster: main}, policies: {request_metadata: [{name: lane, set: q}]}}, "
        + "{match: {key_prefix: r}, forward: {cluster: main}}, {match: {key_prefix: e}, forward: {cluster: main}}, {match: {key_prefix: c}, forward: {cluster: main}}";

    public static TheoryData<string, uint, string> Calls => new()
    {
        { "echo", 7, "!scan" },
        { "echo", 7, "!meta" },
        { "who", 7, "!edit" },
        { "unrouted", Unanswerable, "the error is written while the client is served" },
        { "gone", Unanswerable, "the error is written when the connection was refused" },
        { "never", Unanswerable, "the error is written by the clock" },
    };

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Call_AtWhichTheCodecThrows_EndsItsConnectionAlone(string service, uint id, string payload)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, codec: "throwing");
        PingPongConnection witness = mesh.Connect();

        await mesh.BesideAsync(witness, async () =>
        {
            await mesh.Connect().WriteAsync(Call(id, service, payload));
            await EndsAsync(mesh);
        });

        await GoesOnAsync(mesh, witness);
    }

    /// <summary>The connection of all of them has ended: who waits for nothing notices nothing.</summary>
    [Fact]
    public async Task ServerThatCloses_WithACallThatCannotBeAnswered_CostsNobodyElse()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, codec: "throwing");
        PingPongConnection witness = mesh.Connect();
        (await CallAsync(witness, 1, "echo", "before")).Payload.ShouldBe("before");

        await mesh.Connect().WriteAsync(Call(Unanswerable, "close", "the error is written when the server closes"));

        await EndsAsync(mesh);
        await GoesOnAsync(mesh, witness);
    }

    [Fact]
    public async Task PingAtWhichTheCodecThrows_EndsItsConnectionAlone()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, codec: "throwing");
        PingPongConnection witness = mesh.Connect();

        await mesh.BesideAsync(witness, async () =>
        {
            await mesh.Connect().WriteAsync(new PingPongMessage(PingPongKind.Ping, Unanswerable));
            await EndsAsync(mesh);
        });

        await GoesOnAsync(mesh, witness);
    }

    [Fact]
    public async Task FirstBytes_AtWhichTheCodecThrows_EndTheirConnectionAlone()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: never}, forward: {cluster: main}, policies: {timeout: 0.5s}}, {forward: {cluster: main}}", ", on_unknown: TCP", "throwing");
        PingPongConnection witness = mesh.Connect();

        await mesh.BesideAsync(witness, async () =>
        {
            await mesh.Connect().WriteAsync("!"u8.ToArray());
            await EndsAsync(mesh);
        });

        await GoesOnAsync(mesh, witness);
    }

    [Fact]
    public async Task ServerThatFails_WithOneCallThatCannotBeAnswered_CostsTheOthersTheirCallsOnly()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, codec: "throwing");
        PingPongConnection harmed = mesh.Connect();
        PingPongConnection witness = mesh.Connect();
        PingPongConnection closing = mesh.Connect();
        (await CallAsync(witness, 1, "echo", "before")).Payload.ShouldBe("before");
        await harmed.WriteAsync(Call(Unanswerable, "reverse", "99"));
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("throwing.throwing.downstream_rq_active") == 1, "the first call is in flight", () => mesh.Proxy.Said);
        await witness.WriteAsync(Call(2, "reverse", "99"));
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("throwing.throwing.downstream_rq_active") == 2, "both are", () => mesh.Proxy.Said);

        (await CallAsync(closing, 3, "close")).Kind.ShouldBe(PingPongKind.Failure);

        (await Next(witness)).ShouldBe(new PingPongMessage(PingPongKind.Failure, 2, "", "proxy: the upstream closed the connection"));
        await EndsAsync(mesh);
        await GoesOnAsync(mesh, witness);
    }

    [Fact]
    public async Task Answer_AtWhichTheCodecThrows_EndsItsServersConnectionAlone()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, codec: "throwing");
        PingPongConnection witness = mesh.Connect();

        (await CallAsync(witness, 1, "echo", "!reply")).Kind.ShouldBe(PingPongKind.Failure);

        await GoesOnAsync(mesh, witness);
    }

    /// <summary>The server did its part: its connection stays, and with it the call of another client.</summary>
    [Fact]
    public async Task Answer_AtWhichTheConversationThrows_EndsTheConnectionOfItsClientAlone()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, codec: "throwing");
        PingPongConnection witness = mesh.Connect();

        await mesh.BesideAsync(witness, async () =>
        {
            await mesh.Connect().WriteAsync(Call(7, "echo", "!observe"));
            await Patience.UntilAsync(() => mesh.Server.Waiting == 2, "the server has both calls", () => mesh.Proxy.Said);
            await mesh.Server.AnswerNewestAsync();
            await EndsAsync(mesh);
        });

        await GoesOnAsync(mesh, witness);
    }

    [Fact]
    public async Task HealthCheck_AtWhichTheCodecThrows_EndsTheConnectionThatIsAsked()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(Routes, ", upstream: {health_check_interval: 4s}", "throwing");
        PingPongConnection witness = mesh.Connect();
        (await CallAsync(witness, 1, "echo", "before")).Payload.ShouldBe("before");

        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("cluster.main.upstream_cx_active") == 0, "the idle connection is closed", () => mesh.Proxy.Said);

        await GoesOnAsync(mesh, witness);
    }

    private static async Task EndsAsync(PingPongMesh mesh)
    {
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the connection ends", () => mesh.Proxy.Said);
        AccessRecord record = mesh.Proxy.Records()[0];
        (record.Flags, record.By, record.Details).ShouldBe(("LR", "proxy", "internal_error_NotSupportedException"));
    }

    /// <summary>Somebody else's calls are answered, and time-outs come.</summary>
    private static async Task GoesOnAsync(PingPongMesh mesh, PingPongConnection witness)
    {
        // Together: where servers are asked for signs of life, the next question is as far off as it can be. Either may be answered first.
        await witness.WriteAsync(Call(8, "echo", "after"), Call(9, "never"));
        PingPongMessage[] answers = [await Next(witness), await Next(witness)];
        answers.OrderBy(static one => one.Id).Select(static one => (one.Kind, one.Id, one.Payload)).ShouldBe(
            [(PingPongKind.Result, 8u, "after"), (PingPongKind.Failure, 9u, "proxy: no answer in time")]);
        (await mesh.Proxy.StatAsync("meshl4.loop_faults")).ShouldBeGreaterThan(0);
    }
}

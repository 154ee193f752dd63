using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Frames longer than the proxy holds, while they arrive: nothing comes between their bytes, and nobody else is harmed.</summary>
public sealed class PingPongLongFrameTests
{
    private const string TwoServers = "{match: {key_prefix: half}, forward: {cluster: main}}, {forward: {cluster: other}}";
    private const long MostHeld = 1024 * 1024;

    [Fact]
    public async Task LongAnswers_OfTwoServersAtOnce_AreBothWhole()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers);
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        await client.WriteAsync(Call(2, "long", "two"), Call(3, "echo", "small"), new PingPongMessage(PingPongKind.Ping, 4), Call(5, "long", "five"));
        await FromOtherAsync(mesh, 2 * PingPongServer.BulkItem);
        mesh.Server.Release();

        var answers = new Dictionary<uint, PingPongMessage>();
        for (int i = 0; i < 5; i++)
        {
            PingPongMessage answer = await Next(client);
            answers.Add(answer.Id, answer);
        }

        IsLong(answers[1], "one");
        IsLong(answers[2], "two");
        answers[3].Payload.ShouldBe("small");
        answers[4].Kind.ShouldBe(PingPongKind.Pong);
        IsLong(answers[5], "five");
    }

    [Fact]
    public async Task ErrorOfTheProxy_WhileALongAnswerArrives_ComesBehindIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: half}, forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        await client.WriteAsync(Call(2, "unrouted"));
        await FailedAsync(mesh);
        mesh.Server.Release();

        IsLong(await Next(client), "one");
        (await Next(client)).Payload.ShouldBe("proxy: no route");
    }

    [Fact]
    public async Task FramesBehindALongAnswer_AreHeldUpToTheLimit_AndTheirServerWaits()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers, ", limits: {slow_reader_timeout: 60s}");
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        const int Items = 150_000;
        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 2, "items", $"{Items}"));
        for (int i = 0; i < 20; i++)
        {
            (await FromOtherAsync(mesh, MostHeld)).ShouldBeLessThan(MostHeld + (128 * 1024));
        }

        mesh.Server.Release();

        (await Next(client)).Id.ShouldBe(1u);
        for (int i = Items; i > 0; i--)
        {
            (await Next(client)).Payload.ShouldBe($"{i}");
        }

        (await Next(client)).Kind.ShouldBe(PingPongKind.End);
    }

    [Fact]
    public async Task ServerThatFails_WithAnAnswerNobodyHasSeen_CostsThatCallOnly()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers);
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        await client.WriteAsync(Call(2, "cut"));
        await FailedAsync(mesh);
        mesh.Server.Release();

        IsLong(await Next(client), "one");
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Failure, 2, "", "proxy: the upstream closed the connection"));
    }

    /// <summary>The server said in time what it was let say: that its bytes are not read before their turn is no silence of its own.</summary>
    [Fact]
    public async Task LongAnswer_ThatIsHeldBeforeItsTurnForLongerThanItsTimeout_ArrivesWhole()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: half}, forward: {cluster: main}}, {forward: {cluster: other}, policies: {timeout: 6s}}", ", limits: {slow_reader_timeout: 60s}");
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        const int Items = 30;
        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 2, "bulk", $"{Items}"));
        await FromOtherAsync(mesh, MostHeld);
        await Task.Delay(TimeSpan.FromSeconds(8));
        mesh.Server.Release();

        IsLong(await Next(client), "one");
        for (int i = Items; i > 0; i--)
        {
            IsLong(await Next(client), $"{i}");
        }

        (await Next(client)).Kind.ShouldBe(PingPongKind.End);
    }

    [Fact]
    public async Task Stream_ThatEndsInsideALongItemNobodyHasSeen_FailsBehindTheItemsBeforeIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(TwoServers);
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 2, "torn", "1"));

        await Patience.UntilAsync(
            async () => await mesh.Proxy.StatAsync("pingpong.pingpong.command.subscribe.error") == 1, "the stream failed", () => mesh.Proxy.Said);
        mesh.Server.Release();

        IsLong(await Next(client), "one");
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Item, 2, "", "1"));
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Failure, 2, "", "proxy: the upstream closed the connection"));
    }

    /// <summary>Half a frame cannot be taken back, and nothing can be said behind it.</summary>
    [Fact]
    public async Task Stream_ThatEndsInsideALongItem_EndsTheConnection()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 2, "torn", "1"));

        (await Next(client)).Payload.ShouldBe("1");
        await Should.ThrowAsync<IOException>(async () => await Next(client));
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the client's connection ends", () => mesh.Proxy.Said);
        mesh.Proxy.Records()[0].Details.ShouldBe("pingpong_upstream_closed_with_requests_in_flight");
    }

    [Fact]
    public async Task LongAnswer_ThatStopsBeforeItsTurn_CostsThatCallOnly()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: half}, forward: {cluster: main}}, {match: {key_prefix: o.}, forward: {cluster: other, remove_key_prefix: true}, policies: {timeout: 3s}}");
        PingPongConnection client = mesh.Connect();
        await BeginHalfAsync(mesh, client);

        await client.WriteAsync(Call(2, "o.half", "two"));
        await FailedAsync(mesh);
        mesh.Server.Release();

        IsLong(await Next(client), "one");
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Failure, 2, "", "proxy: no answer in time"));
        mesh.Other.Release();
        (await CallAsync(client, 3, "o.echo", "behind the rest")).Payload.ShouldBe("behind the rest");
    }

    [Fact]
    public async Task LongPing_OfTheServer_WithTheIdOfACall_IsNoAnswerToIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "longbeat", "after the beat")).ShouldBe(new PingPongMessage(PingPongKind.Result, 1, "", "after the beat"));
        mesh.Server.Pongs.ShouldBe(1);
    }

    /// <summary>The codec knows no color. The connection that was borrowed for the call is free, and nobody's.</summary>
    [Fact]
    public async Task LongCall_ThatCannotBeWritten_LeavesThoseBehindIt_AndTheLongOnesOfOthers_TheirServers()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {key_prefix: refused}, forward: {cluster: other}, policies: {request_metadata: [{name: color, set: red}]}}, {match: {key_prefix: echo}, forward: {cluster: other}}, "
            + "{forward: {cluster: main}}", ", upstream: {max_pinned_connections: 1}");
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "refused", new string('x', PingPongServer.HugeAnswer))).Kind.ShouldBe(PingPongKind.Failure);

        (await CallAsync(client, 2, "who")).Payload.ShouldStartWith("main");
        (await CallAsync(mesh.Connect(), 3, "echo", new string('x', PingPongServer.HugeAnswer))).Payload.Length.ShouldBe(PingPongServer.HugeAnswer);
    }

    /// <summary>The connection of the first is given back with its answer due; what becomes of that is no matter of the one that the second has.</summary>
    [Fact]
    public async Task LongCall_ThatFails_WhileTheNextOneIsUploaded_CostsThatCallOnly()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: never}, forward: {cluster: main}, policies: {timeout: 3s}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();
        string text = new('x', PingPongServer.HugeAnswer);
        ReadOnlyMemory<byte> next = PingPongConnection.Bytes(Call(2, "echo", text));

        await client.WriteAsync(Call(1, "never", text));
        await client.WriteAsync(next[..(next.Length / 2)]);
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Failure, 1, "", "proxy: no answer in time"));
        await client.WriteAsync(next[(next.Length / 2)..]);

        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Result, 2, "", text));
        mesh.Server.Accepted.ShouldBe(2);
    }

    private static void IsLong(PingPongMessage answer, string text) => (answer.Payload.Trim(), answer.Payload.Length).ShouldBe((text, PingPongServer.BulkItem));

    /// <summary>Call 1 has half of its answer passed on.</summary>
    private static async Task BeginHalfAsync(PingPongMesh mesh, PingPongConnection client)
    {
        await client.WriteAsync(Call(1, "half", "one"));
        await ReceivedAsync(mesh, "main", PingPongServer.BulkItem / 2);
    }

    /// <summary>The proxy has answered a call with a failure.</summary>
    private static Task FailedAsync(PingPongMesh mesh) => Patience.UntilAsync(
        async () => await mesh.Proxy.StatAsync("pingpong.pingpong.command.call.error") == 1, "a call failed", () => mesh.Proxy.Said);

    /// <summary>The proxy has read as much from the other server; how much it is.</summary>
    private static Task<long> FromOtherAsync(PingPongMesh mesh, long bytes) => ReceivedAsync(mesh, "other", bytes);

    private static async Task<long> ReceivedAsync(PingPongMesh mesh, string cluster, long bytes)
    {
        long received = 0;
        await Patience.UntilAsync(
            async () => (received = await mesh.Proxy.StatAsync($"cluster.{cluster}.upstream_cx_rx_bytes_total")) >= bytes,
            $"{bytes} bytes of {cluster}",
            () => $"{received}: {mesh.Proxy.Said}");
        return received;
    }
}

using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>The sample protocol through a real proxy: what a multiplexed protocol has to be able to do.</summary>
public sealed class PingPongProxyTests
{
    [Fact]
    public async Task Ping_OfTheClient_IsAnsweredByTheProxyItself()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(new PingPongMessage(PingPongKind.Ping, 41));

        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Pong, 41));
        mesh.Server.Accepted.ShouldBe(0);
    }

    [Fact]
    public async Task Calls_OnOneConnection_ShareOneUpstreamConnection()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        await client.WriteAsync(new PingPongMessage(PingPongKind.Ping, 1));
        (await Next(client)).Kind.ShouldBe(PingPongKind.Pong);

        for (uint id = 5; id < 8; id++)
        {
            (await CallAsync(client, id, "echo", $"text {id}")).ShouldBe(new PingPongMessage(PingPongKind.Result, id, "", $"text {id}"));
        }

        mesh.Server.Accepted.ShouldBe(1);
    }

    [Fact]
    public async Task Calls_SentTogether_AreAnsweredInTheOrderOfTheServer()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync([.. Enumerable.Range(1, 3).Select(static i => Call((uint)i, "reverse", "3", $"t{i}"))]);

        PingPongMessage[] answers = [await Next(client), await Next(client), await Next(client)];
        answers.Select(static answer => (answer.Id, answer.Payload)).ShouldBe([(3u, "3 t3"), (2u, "3 t2"), (1u, "3 t1")]);
    }

    [Fact]
    public async Task Subscription_ToAServer_EndsBehindItsLastItem()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 9, "ticker", "3"), Call(10, "echo", "between"));

        List<PingPongMessage> answers = [];
        for (int i = 0; i < 5; i++)
        {
            answers.Add(await Next(client));
        }

        answers.Where(static answer => answer.Id == 9).Select(static answer => (answer.Kind, answer.Payload)).ShouldBe(
            [(PingPongKind.Item, "3"), (PingPongKind.Item, "2"), (PingPongKind.Item, "1"), (PingPongKind.End, "")]);
        answers.Single(static answer => answer.Id == 10).Payload.ShouldBe("between");
    }

    [Fact]
    public async Task Notify_IsForwardedAndNeverAnswered()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{match: {key_prefix: gone}, forward: {cluster: nobody}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(
            new PingPongMessage(PingPongKind.Notify, 2, "log", "a line"), new PingPongMessage(PingPongKind.Notify, 3, "gone.log", "lost"), Call(4, "echo", "x"));

        (await Next(client)).Id.ShouldBe(4u);
        (await CallAsync(client, 5, "echo", "y")).Id.ShouldBe(5u);
        await Patience.UntilAsync(() => mesh.Server.Notified == 1, "the notification is there", () => $"{mesh.Server.Notified}");
    }

    [Fact]
    public async Task Ping_OfTheServer_IsAnsweredByTheProxy()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 6, "beat", "alive")).Payload.ShouldBe("alive");

        mesh.Server.Pongs.ShouldBe(1);
    }

    [Fact]
    public async Task Routes_ByServiceLaneAndPrefix_GoToTheirClusters()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {metadata: [{name: lane, value: {exact: b}}]}, forward: {cluster: other}}, "
            + "{match: {metadata: [{name: tenant, value: {exact: acme}}]}, forward: {cluster: other}}, "
            + "{match: {key_prefix: other.}, forward: {cluster: other, remove_key_prefix: true}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "who")).Payload.ShouldBe("main who  -");
        (await CallAsync(client, 2, "other.who")).Payload.ShouldBe("other who  -");
        await client.WriteAsync(Call(3, "who") with { Lane = 'b' });
        (await Next(client)).Payload.ShouldBe("other who  b");
        (await CallAsync(client, 4, "who", tenant: "acme")).Payload.ShouldBe("other who acme -");
    }

    [Fact]
    public async Task Metadata_OfARoute_IsSet()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{forward: {cluster: main}, policies: {request_metadata: [{name: lane, set: q}]}}");

        (await CallAsync(mesh.Connect(), 1, "who")).Payload.ShouldBe("main who  q");
    }

    [Theory]
    [InlineData(60_000)]
    [InlineData(70_000)]
    [InlineData(1_000_000)]
    public async Task Call_WithALongBody_IsForwardedWhileItArrives(int length)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();
        string text = string.Concat(Enumerable.Range(0, length / 8).Select(static i => $"{i:x8}"));

        await client.WriteAsync(Call(1, "echo", text), Call(2, "echo", "behind it"));

        PingPongMessage[] answers = [await Next(client), await Next(client)];
        answers.Single(static answer => answer.Id == 1).Payload.ShouldBe(text);
        answers.Single(static answer => answer.Id == 2).Payload.ShouldBe("behind it");
    }

    [Fact]
    public async Task Subscription_WithLongItems_GetsAllOfThem()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 4, "bulk", "3"));

        for (int i = 3; i > 0; i--)
        {
            PingPongMessage item = await Next(client);
            (item.Kind, item.Id, item.Payload.Trim(), item.Payload.Length).ShouldBe((PingPongKind.Item, 4u, $"{i}", PingPongServer.BulkItem));
        }

        (await Next(client)).Kind.ShouldBe(PingPongKind.End);
    }

    [Fact]
    public async Task FirstBytes_ThatAreNoFrame_AreRelayedWhereNoRuleWouldBePassedBy()
    {
        await using PingPongMesh plain = await PingPongMesh.StartAsync();
        await using PingPongMesh guarded = await PingPongMesh.StartAsync(
            more: ", policies: {authorization: {deny: [{services: [{exact: secret}]}]}}");
        PingPongConnection relayed = plain.Connect();
        PingPongConnection closed = guarded.Connect();

        // No magic number: the server closes what it gets, and only the plain proxy lets it get there.
        await relayed.WriteAsync(new byte[16]);
        await closed.WriteAsync(new byte[16]);

        await Patience.UntilAsync(() => plain.Server.Accepted == 1, "the server has the bytes", () => $"{plain.Server.Accepted}");
        await Should.ThrowAsync<IOException>(async () => await Next(closed));
        guarded.Server.Accepted.ShouldBe(0);
        (await CallAsync(guarded.Connect(), 1, "secret")).Payload.ShouldBe("proxy: not allowed");
    }

    internal static PingPongMessage Call(uint id, string service, string payload = "", string tenant = "") =>
        new(PingPongKind.Call, id, service, payload, tenant);

    internal static async Task<PingPongMessage> CallAsync(PingPongConnection client, uint id, string service, string payload = "", string tenant = "")
    {
        await client.WriteAsync(Call(id, service, payload, tenant));
        return await Next(client);
    }

    internal static async Task<PingPongMessage> Next(PingPongConnection client)
    {
        using var limit = new CancellationTokenSource(Patience.Limit);
        return await client.ReadAsync(limit.Token) ?? throw new EndOfStreamException("the proxy ended the connection");
    }
}

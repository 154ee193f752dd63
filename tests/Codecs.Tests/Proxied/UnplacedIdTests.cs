using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A multiplexed protocol whose ids have no fixed place: frames are written anew, and no copy is sent, which would have the id of the first.</summary>
public sealed class UnplacedIdTests
{
    [Fact]
    public async Task Clients_WithTheSameIds_GetTheirOwnAnswers()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "unplaced");
        PingPongConnection[] clients = [mesh.Connect(), mesh.Connect(), mesh.Connect()];

        await Task.WhenAll(clients.Select(static (client, i) => client.WriteAsync(Call(1, "reverse", "3", $"client {i}"))));

        PingPongMessage[] answers = await Task.WhenAll(clients.Select(Next));
        answers.Select(static answer => (answer.Id, answer.Payload)).ShouldBe([(1u, "3 client 0"), (1u, "3 client 1"), (1u, "3 client 2")]);
        (mesh.Server.Accepted, mesh.Server.RepeatedIds).ShouldBe((1, 0));
    }

    /// <summary>Under the proxy's id, which another call of the client's has, it would be that one's.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(200_000)]
    public async Task AnswerThatCannotBeWrittenAnew_IsAnErrorForItsCall(int length)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "unplaced");
        PingPongConnection client = mesh.Connect();

        PingPongMessage answer = await CallAsync(client, 77, "echo", "!frozen".PadRight(length));

        (answer.Kind, answer.Id, answer.Payload).ShouldBe((PingPongKind.Failure, 77u, "proxy: the upstream's answer is malformed"));
        (await CallAsync(client, 78, "echo", "next")).ShouldBe(new PingPongMessage(PingPongKind.Result, 78, "", "next"));
        (await mesh.Proxy.StatAsync("unplaced.unplaced.downstream_rq_active")).ShouldBe(0);
    }

    [Fact]
    public async Task ItemThatCannotBeWrittenAnew_EndsItsStreamWithAnError()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "unplaced");
        PingPongConnection client = mesh.Connect();

        await client.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 77, "count", "15"));

        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Item, 77, "", "15"));
        (await Next(client)).ShouldBe(new PingPongMessage(PingPongKind.Item, 77, "", "14"));
        PingPongMessage end = await Next(client);
        (end.Kind, end.Id).ShouldBe((PingPongKind.Failure, 77u));
        (await CallAsync(client, 78, "echo", "next")).ShouldBe(new PingPongMessage(PingPongKind.Result, 78, "", "next"));
        (await mesh.Proxy.StatAsync("unplaced.unplaced.downstream_rq_active")).ShouldBe(0);
    }

    [Fact]
    public async Task Calls_AreNeitherMirroredNorTriedAgainNorHedged()
    {
        const string Mirrored = "{match: {key_prefix: mirrored}, forward: {cluster: main}, policies: {mirrors: [{cluster: other}]}}";
        const string Retried = "{match: {key_prefix: close}, forward: {cluster: both}, policies: {retry: {num_retries: 3, budget_percent: {value: 100}}}}";
        const string Hedged = "{match: {key_prefix: never}, forward: {cluster: both}, policies: {timeout: 1s, hedge: {delay: 0.1s, budget_percent: {value: 100}}}}";
        await using PingPongMesh mesh = await PingPongMesh.StartAsync($"{Mirrored}, {Retried}, {Hedged}", codec: "unplaced");
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "mirrored", "mine")).Payload.ShouldBe("mine");
        foreach (string service in (string[])["close", "never"])
        {
            await client.WriteAsync(Call(2, service) with { IsIdempotent = true });
            (await Next(client)).Kind.ShouldBe(PingPongKind.Failure);
        }

        foreach (string figure in (string[])["downstream_rq_mirrored", "upstream_rq_retry", "upstream_rq_hedge"])
        {
            (await mesh.Proxy.StatAsync($"unplaced.unplaced.{figure}")).ShouldBe(0, figure);
        }
    }
}

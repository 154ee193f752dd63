using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Many clients on few upstream connections, told apart by ids of the proxy's own.</summary>
public sealed class MultiplexingTests
{
    private const int Clients = 60;

    [Fact]
    public async Task Clients_WithTheSameIds_GetTheirOwnAnswers()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        PingPongConnection[] clients = [.. Enumerable.Range(0, Clients).Select(_ => mesh.Connect())];
        for (int round = 0; round < 5; round++)
        {
            // The server holds all calls and answers the last one first: each crosses those of all other clients.
            await Task.WhenAll(clients.Select((client, i) => client.WriteAsync(Call(1, "reverse", $"{Clients}", $"client {i}"))));
            PingPongMessage[] answers = await Task.WhenAll(clients.Select(Next));
            answers.Select(static answer => (answer.Id, answer.Payload)).ShouldBe(Enumerable.Range(0, Clients).Select(static i => (1u, $"{Clients} client {i}")));
        }

        // Two loops, one connection each.
        mesh.Server.Accepted.ShouldBeInRange(1, 2);
        mesh.Server.RepeatedIds.ShouldBe(0);
    }

    [Fact]
    public async Task Exchange_ThroughTheProxy_IsTheOneWithoutIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync();
        foreach (int seed in (int[])[1, 2, 3])
        {
            PingPongMessage[] calls = Calls(seed);
            IReadOnlyList<PingPongMessage> direct = await ExchangeAsync(mesh.ConnectDirectly(), calls);
            IReadOnlyList<PingPongMessage> proxied = await ExchangeAsync(mesh.Connect(), calls);
            PingPongConnection.Bytes([.. proxied]).Span.SequenceEqual(PingPongConnection.Bytes([.. direct]).Span).ShouldBeTrue(
                $"seed {seed}:\n{string.Join('\n', direct)}\nthrough the proxy:\n{string.Join('\n', proxied)}");
        }
    }

    /// <summary>Calls of all kinds, in flight together; sizes around those at which a frame spans reads.</summary>
    private static PingPongMessage[] Calls(int seed)
    {
        var random = new Random(seed);
        return
        [
            .. Enumerable.Range(1, 200).Select(i => random.Next(4) switch
            {
                0 => new PingPongMessage(PingPongKind.Subscribe, (uint)i, "ticker", $"{random.Next(5)}"),
                1 => new PingPongMessage(PingPongKind.Notify, (uint)i, "log", "a line"),
                2 => Call((uint)i, "echo", new string((char)('a' + (i % 26)), random.Next(20_000)), "acme"),
                _ => Call((uint)i, "fail", $"reason {i}"),
            }),
        ];
    }

    /// <summary>All answers by their call; a call's own in the order they came. Both directions are held to the codec's traits.</summary>
    private static async Task<IReadOnlyList<PingPongMessage>> ExchangeAsync(PingPongConnection client, PingPongMessage[] calls)
    {
        var observer = new ExchangeObserver<PingPongCodec>();
        observer.Sent(PingPongConnection.Bytes(calls).Span);
        Task sending = client.WriteAsync(calls);
        List<PingPongMessage> answers = [];
        while (observer.InFlight > 0)
        {
            PingPongMessage answer = await Next(client);
            observer.Received(PingPongConnection.Bytes(answer).Span);
            answers.Add(answer);
        }

        await sending;
        return [.. answers.OrderBy(static answer => answer.Id)];
    }
}

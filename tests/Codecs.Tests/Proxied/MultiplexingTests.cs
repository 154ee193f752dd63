using MeshL4.Samples.PingPong.Peers;
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
}

using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;

namespace MeshL4.Samples.PingPong.Tests;

/// <summary>A conversation of an author's own, in a proxy of their own: this project sees what is public, and nothing else.</summary>
public sealed class PingPongConversationTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>These tests themselves; see Program.cs.</summary>
    private static readonly string Program = Path.ChangeExtension(typeof(PingPongConversationTests).Assembly.Location, null);

    [Fact]
    public async Task EachClient_HasAConversation_ThatDecidesOnItsRequests()
    {
        using var server = new PingPongServer(IPAddress.Loopback);
        await using CodecProxy proxy = await CodecProxy.StartAsync(Program, "pingpong", server.EndPoint);
        using PingPongConnection first = await ConnectAsync(proxy);
        using PingPongConnection second = await ConnectAsync(proxy);

        foreach (PingPongConnection client in (PingPongConnection[])[first, second])
        {
            for (uint call = 1; call <= CountingConversation.Most; call++)
            {
                (await CallAsync(client, call)).ShouldBe(new PingPongMessage(PingPongKind.Result, call, "", "hello"));
            }

            (await CallAsync(client, CountingConversation.Most + 1))?.Kind.ShouldBe(PingPongKind.Failure);
        }

        (await proxy.FigureAsync("pingpong.pingpong.downstream_rq_total")).ShouldBe(2 * (CountingConversation.Most + 1));
    }

    private static async Task<PingPongConnection> ConnectAsync(CodecProxy proxy)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(proxy.Address);
        return new PingPongConnection(socket);
    }

    private static async Task<PingPongMessage?> CallAsync(PingPongConnection client, uint id)
    {
        using var limit = new CancellationTokenSource(Limit);
        await client.WriteAsync(new PingPongMessage(PingPongKind.Call, id, "echo", "hello"));
        return await client.ReadAsync(limit.Token);
    }
}

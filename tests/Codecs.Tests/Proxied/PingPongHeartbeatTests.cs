using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Heartbeats that the proxy answers by itself.</summary>
public sealed class PingPongHeartbeatTests
{
    private const int Batch = 1000;
    private const int MostSent = 32 * 1024 * 1024;

    /// <summary>What a client and the loops have anyway, with much room; far less than what is sent.</summary>
    private const long LittleMemory = 4 * 1024 * 1024;

    [Fact]
    public async Task Pings_OfAClientThatDoesNotRead_StopBeingTaken_AndAreNoRequests()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(more: ", limits: {slow_reader_timeout: 60s}");
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 16 * 1024, SendBufferSize = 16 * 1024 };
        client.Connect(IPAddress.Loopback, mesh.Port);
        byte[] pings = PingPongConnection.Bytes([.. Enumerable.Range(1, Batch).Select(static id => new PingPongMessage(PingPongKind.Ping, (uint)id))]).ToArray();

        int sent = await SendUntilFullAsync(client, pings);

        sent.ShouldBeLessThan(MostSent);
        (await mesh.Proxy.StatAsync("meshl4.buffer_bytes_rented")).ShouldBeLessThan(LittleMemory);
        await ReadAsync(client, sent);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_active")).ShouldBe(0);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_total")).ShouldBe(0);
    }

    /// <summary>Sends until nothing was taken for a second, or very much was.</summary>
    private static async Task<int> SendUntilFullAsync(Socket client, byte[] pings)
    {
        int sent = 0;
        while (sent < MostSent)
        {
            using var full = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            try
            {
                sent += await client.SendAsync(pings.AsMemory(sent % pings.Length), full.Token);
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }

        return sent;
    }

    /// <summary>A pong is as long as a ping.</summary>
    private static async Task ReadAsync(Socket client, int sent)
    {
        byte[] room = new byte[64 * 1024];
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        for (int left = sent / PingPongFrame.HeadLength * PingPongFrame.HeadLength; left > 0;)
        {
            int count = await client.ReceiveAsync(room, late.Token);
            count.ShouldBeGreaterThan(0);
            left -= count;
        }
    }
}

using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary><c>limits.max_head_bytes</c>: what is over it is answered with an error and ends its connection, whole or in pieces; bodies do not count.</summary>
public sealed class HeadLimitTests
{
    private const string Limit = ", limits: {max_head_bytes: 20}";

    [Theory]
    [InlineData(1)]
    [InlineData(200_000)]
    public async Task PingPong_HeadOverTheLimit_EndsItsConnection(int body)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(more: Limit);
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "echo", new string('x', body))).Kind.ShouldBe(PingPongKind.Result);

        PingPongMessage answer = await CallAsync(client, 2, "echoes", new string('x', body));

        (answer.Kind, answer.Id).ShouldBe((PingPongKind.Failure, 2u));
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the connection ends", () => mesh.Proxy.Said);
        mesh.Proxy.Records()[0].Details.ShouldBe("pingpong_head_too_large");
    }

    [Theory]
    [InlineData("*2\r\n$3\r\nGET\r\n$9\r\n123456789\r\n")]
    [InlineData("*3\r\n$3\r\nSET\r\n$9\r\n123456789\r\n$1\r\nv\r\n")]
    [InlineData("*2\r\n$15\r\nCUSTOM.NO.HEAD.\r\n$1\r\nv\r\n")]
    [InlineData("GET a-line-counts-whole\r\n")]
    public async Task Redis_HeadOverTheLimit_EndsItsConnection(string request)
    {
        using Peer server = Peer.Banner("");
        await using CodecProxy proxy = await CodecProxy.StartAsync(Executables.Proxy, "redis", (IPEndPoint)server.Address, Limit);
        foreach (int piece in (int[])[request.Length, 7])
        {
            (await AnswerAsync(proxy, Encoding.ASCII.GetBytes(request), piece)).ShouldStartWith("-ERR ");
        }
    }

    [Fact]
    public async Task Redis_HeadWithinTheLimit_GoesToTheServer()
    {
        using Peer server = Peer.Recorder();
        await using CodecProxy proxy = await CodecProxy.StartAsync(Executables.Proxy, "redis", (IPEndPoint)server.Address, Limit);
        byte[] request = Encoding.ASCII.GetBytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n" + new string('v', 100) + "\r\n");
        using Socket client = await ConnectAsync(proxy);
        await client.SendAsync(request);
        await Patience.UntilAsync(async () => await proxy.FigureAsync("cluster.server.upstream_cx_total") == 1, "the request goes on", () => proxy.Said);
    }

    private static async Task<string> AnswerAsync(CodecProxy proxy, byte[] request, int piece)
    {
        using Socket client = await ConnectAsync(proxy);
        using var limit = new CancellationTokenSource(Patience.Limit);
        for (int sent = 0; sent < request.Length; sent += piece)
        {
            await client.SendAsync(request.AsMemory(sent, Math.Min(piece, request.Length - sent)));
        }

        var answer = new StringBuilder();
        byte[] buffer = new byte[1024];
        for (int count; (count = await client.ReceiveAsync(buffer, limit.Token)) > 0;)
        {
            answer.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return answer.ToString();
    }

    private static async Task<Socket> ConnectAsync(CodecProxy proxy)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(proxy.Address);
        return client;
    }
}

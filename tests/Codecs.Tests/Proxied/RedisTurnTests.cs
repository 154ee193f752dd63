using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Answers of two servers to one client, in the order of its requests.</summary>
public sealed class RedisTurnTests
{
    private const int ValueBytes = 3_000_000;

    /// <summary>What is held of the second answer must not keep the first one, which it waits for, from being passed on.</summary>
    [Fact]
    public Task LongAnswer_BehindAnEarlierOneThatFillsTheLimit_GoesOnAndBothArrive() => BothArriveAsync("", TimeSpan.Zero);

    /// <summary>The client reads all it gets: that the first server is slow is not the client's fault.</summary>
    [Fact]
    public Task LongAnswer_BehindAServerSlowerThanReadersMayBe_WaitsAndBothArrive() =>
        BothArriveAsync(", limits: {slow_reader_timeout: 2s}", TimeSpan.FromSeconds(5));

    private static async Task BothArriveAsync(string limits, TimeSpan pause)
    {
        using var slow = new TcpListener(IPAddress.Loopback, 0);
        using var quick = new TcpListener(IPAddress.Loopback, 0);
        slow.Start();
        quick.Start();
        var bootstrap = new Bootstrap();
        bootstrap.Cluster("slow", slow.LocalEndpoint);
        bootstrap.Cluster("quick", quick.LocalEndpoint);
        int port = bootstrap.Listener("in", Bootstrap.XRpcProxy("redis", "{match: {key_prefix: a}, forward: {cluster: slow}}, {forward: {cluster: quick}}", limits));
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);

        await client.GetStream().WriteAsync("GET a\r\nGET b\r\n"u8.ToArray());
        using TcpClient second = await quick.AcceptTcpClientAsync();
        Task early = AnswerAsync(second, 'b');
        await Patience.UntilAsync(
            async () => await proxy.StatAsync("cluster.quick.upstream_cx_rx_bytes_total") > 1024 * 1024, "the early answer fills what may be held", () => proxy.Said);
        await Task.Delay(pause);
        using TcpClient first = await slow.AcceptTcpClientAsync();
        using var limit = new CancellationTokenSource(Patience.Limit);
        byte[] expected = [.. Value('a'), .. Value('b')];
        byte[] answers = new byte[expected.Length];
        Task reading = client.GetStream().ReadExactlyAsync(answers, limit.Token).AsTask();
        Task due = AnswerAsync(first, 'a');
        await reading;
        answers.AsSpan().SequenceEqual(expected).ShouldBeTrue();
        await Task.WhenAll(early, due);
    }

    private static async Task AnswerAsync(TcpClient server, char letter)
    {
        await server.GetStream().ReadExactlyAsync(new byte[4]);
        await server.GetStream().WriteAsync(Value(letter));
    }

    private static byte[] Value(char letter) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"${ValueBytes}\r\n{new string(letter, ValueBytes)}\r\n"));
}

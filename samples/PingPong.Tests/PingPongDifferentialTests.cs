using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit.Codecs;
using Shouldly;
using Xunit;

namespace MeshL4.Samples.PingPong.Tests;

/// <summary>A real server, asked with and without the proxy that has the codec: the client cannot tell which.</summary>
public sealed class PingPongDifferentialTests
{
    private const int Calls = 200;
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>The proxy of the sample, which the build puts beside the tests.</summary>
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "pingpong-proxy");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Answers_ThroughTheProxy_AreThoseWithoutIt(int seed)
    {
        using var server = new PingPongServer(IPAddress.Loopback);
        await using CodecProxy proxy = await CodecProxy.StartAsync(Program, "pingpong", server.EndPoint);
        PingPongMessage[] calls = RandomCalls(seed);

        int answers = await DifferentialRun<PingPongCodec>.CheckAsync(
            server.EndPoint, proxy.Address, [.. calls.Select(static call => PingPongConnection.Bytes(call).ToArray())], Limit);

        answers.ShouldBe(calls.Sum(static call => call.Kind switch
        {
            PingPongKind.Notify => 0,
            PingPongKind.Subscribe => int.Parse(call.Payload, System.Globalization.CultureInfo.InvariantCulture) + 1,
            _ => 1,
        }));
        (await proxy.FigureAsync("pingpong.pingpong.downstream_rq_total")).ShouldBe(Calls);
    }

    [Fact]
    public async Task AnotherAnswer_IsFound()
    {
        using var server = new PingPongServer(IPAddress.Loopback);
        using var other = new PingPongServer(IPAddress.Loopback, name: "other");
        await using CodecProxy proxy = await CodecProxy.StartAsync(Program, "pingpong", other.EndPoint);
        byte[][] calls = [PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Call, 1, "echo"), new PingPongMessage(PingPongKind.Call, 2, "who")).ToArray()];

        var difference = await Should.ThrowAsync<ConformanceException>(() => DifferentialRun<PingPongCodec>.CheckAsync(server.EndPoint, proxy.Address, calls, Limit));

        difference.Message.ShouldStartWith("pingpong: answer 2 of 2 is ");
    }

    [Fact]
    public async Task AMissingAnswer_IsFound()
    {
        using var server = new PingPongServer(IPAddress.Loopback);
        await using CodecProxy proxy = await CodecProxy.StartAsync(Program, "pingpong", server.EndPoint, ", policies: {faults: [{abort: {message: no}}]}");
        byte[][] calls = [PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Subscribe, 1, "ticker", "3")).ToArray()];

        var difference = await Should.ThrowAsync<ConformanceException>(() => DifferentialRun<PingPongCodec>.CheckAsync(server.EndPoint, proxy.Address, calls, Limit));

        difference.Message.ShouldStartWith("pingpong: answer 1 of 4 is ");
    }

    [Theory]
    [InlineData(false, "pingpong: an answer with id 1 to no request in flight")]
    [InlineData(true, "pingpong: the connection ended inside a frame: ")]
    public async Task WhatComesBehindTheLastAnswer_IsFound(bool half, string message)
    {
        using var server = new PingPongServer(IPAddress.Loopback);
        using var repeating = new TcpListener(IPAddress.Loopback, 0);
        repeating.Start();
        Task serving = AnswerTwiceAsync(repeating, half);
        byte[][] calls = [PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Call, 1, "echo", "hello")).ToArray()];

        var difference = await Should.ThrowAsync<ConformanceException>(
            () => DifferentialRun<PingPongCodec>.CheckAsync(server.EndPoint, (IPEndPoint)repeating.LocalEndpoint, calls, Limit));

        difference.Message.ShouldStartWith(message);
        await serving;
    }

    /// <summary>In place of a proxy: the right answer, and at the client's end the same again, or a part of it.</summary>
    private static async Task AnswerTwiceAsync(TcpListener listener, bool half)
    {
        using Socket client = await listener.AcceptSocketAsync();
        byte[] answer = PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Result, 1, "", "hello")).ToArray();
        byte[] buffer = new byte[1024];
        await client.ReceiveAsync(buffer);
        await client.SendAsync(answer);
        while (await client.ReceiveAsync(buffer) > 0)
        {
        }

        await client.SendAsync(half ? answer[..^1] : answer);
    }

    /// <summary>Calls of all kinds, in flight together; sizes around those at which a frame spans reads.</summary>
    private static PingPongMessage[] RandomCalls(int seed)
    {
        var random = new Random(seed);
        return
        [
            .. Enumerable.Range(1, Calls).Select(i => random.Next(4) switch
            {
                0 => new PingPongMessage(PingPongKind.Subscribe, (uint)i, "ticker", $"{random.Next(5)}"),
                1 => new PingPongMessage(PingPongKind.Notify, (uint)i, "log", "a line"),
                2 => new PingPongMessage(PingPongKind.Call, (uint)i, "echo", new string((char)('a' + (i % 26)), random.Next(20_000)), "acme"),
                _ => new PingPongMessage(PingPongKind.Call, (uint)i, "fail", $"reason {i}"),
            }),
        ];
    }
}

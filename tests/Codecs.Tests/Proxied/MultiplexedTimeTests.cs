using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>The time of calls while a long answer has the connection to itself: it flows, or it does not.</summary>
public sealed class MultiplexedTimeTests : IAsyncLifetime
{
    private const int Parts = 40;
    private const int PartBytes = 128 * 1024;
    private const int TinyCalls = 40;
    private const int ShortCalls = 800;

    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly List<IDisposable> _owned = [];
    private ProxyProcess? _proxy;

    [Fact]
    public async Task CallBehindALongAnswerThatFlows_WaitsForIt()
    {
        (PingPongConnection first, PingPongConnection behind, PingPongConnection server, ReadOnlyMemory<byte> answer, uint id) = await BeginAsync("5s");
        Task<PingPongMessage> taken = Next(first);
        for (int at = 0; at < answer.Length; at += PartBytes)
        {
            await Task.Delay(175);
            await server.WriteAsync(answer.Slice(at, Math.Min(PartBytes, answer.Length - at)));
        }

        await server.WriteAsync(new PingPongMessage(PingPongKind.Result, id, "", "behind"));
        (await Next(behind)).Payload.ShouldBe("behind");
        (await taken).Payload.Length.ShouldBe(Parts * PartBytes);
    }

    /// <summary>Half of an answer cannot be taken back: its client's connection ends.</summary>
    [Fact]
    public async Task LongAnswerThatDrips_IsOverItsTime()
    {
        (PingPongConnection first, PingPongConnection behind, PingPongConnection server, ReadOnlyMemory<byte> answer, _) = await BeginAsync("4s");
        await server.WriteAsync(answer[..PartBytes]);
        using var end = new CancellationTokenSource();
        Task drips = Task.Run(async () =>
        {
            for (int at = PartBytes; !end.IsCancellationRequested && at < answer.Length; at++)
            {
                await server.WriteAsync(answer.Slice(at, 1));
                await Task.Delay(50);
            }
        });

        (await Next(behind)).Payload.ShouldBe("proxy: no answer in time");
        await Should.ThrowAsync<IOException>(async () => await Next(first));
        await Patience.UntilAsync(
            () => _proxy!.Records().Any(static record => record.Details == "pingpong_op_timeout"), "a record with the reason", () => _proxy!.Said);
        await end.CancelAsync();
        await drips;
    }

    /// <summary>Answers to others come one after another, each of them alone on the connection for a moment: the call has lost no more than one of those.</summary>
    [Theory]
    [InlineData("timeout: 3s", "proxy: no answer in time")]
    [InlineData("timeout: 90s, retry: {num_retries: 1, per_try_timeout: 3s}", "again")]
    public async Task CallThatIsNeverAnswered_IsOverItsTime_WhileOthersHaveLongAnswers(string policies, string end)
    {
        int port = await StartAsync(policies, "never");
        PingPongConnection others = Connect(port);
        PingPongConnection waiting = Connect(port);
        await waiting.WriteAsync(Call(1, "never") with { IsIdempotent = true });
        PingPongConnection server = await AcceptAsync();
        (await Next(server)).Service.ShouldBe("never");
        Task<PingPongMessage> told = Next(waiting);
        for (uint i = 1; !told.IsCompleted; i++)
        {
            await others.WriteAsync(Call(i, "long"));
            PingPongMessage asked = await Next(server);
            if (asked.Service == "never")
            {
                await server.WriteAsync(new PingPongMessage(PingPongKind.Result, asked.Id, "", "again"));
                asked = await Next(server);
            }

            ReadOnlyMemory<byte> answer = PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Result, asked.Id, "", new string('l', 2 * PartBytes)));
            await server.WriteAsync(answer[..PartBytes]);
            await Task.Delay(20);
            await server.WriteAsync(answer[PartBytes..]);
            (await Next(others)).Payload.Length.ShouldBe(2 * PartBytes);
            await Task.Delay(100);
        }

        (await told).Payload.ShouldBe(end);
    }

    /// <summary>
    /// Each of its answers is short, but more came than it takes: the connection stands still for it again and again, which is not the fault of others. So many
    /// are asked for only by a client whose answers were tiny before. One that reads nothing for a quarter of a second, as on a machine that stands still, is
    /// ended for those who wait: that says nothing of their time, and another takes its place.
    /// </summary>
    [Fact]
    public async Task CallThatIsNeverAnswered_IsOverItsTime_WhileAnotherClientReadsSlowly()
    {
        int port = await StartAsync("timeout: 1s", "never");
        string payload = new('s', 32 * 1024);
        _ = AnswerAllAsync(payload);
        int ended = 0;
        while (!await IsToldBesideASlowReaderAsync(port, payload, ended))
        {
            (++ended).ShouldBeLessThan(10, "slow readers were ended");

            // One that was ended leaves less time to the next, unless it has shown that it reads: until that is forgotten.
            await Task.Delay(TimeSpan.FromSeconds(10));
        }
    }

    /// <returns>Whether the slow reader was there until the call was over its time.</returns>
    private async Task<bool> IsToldBesideASlowReaderAsync(int port, string payload, int endedBefore)
    {
        using PingPongConnection slow = Connect(port, receiveBuffer: 64 * 1024);
        using PingPongConnection waiting = Connect(port);
        await slow.WriteAsync(Call(1, "tiny"));
        for (int i = 0; i < TinyCalls; i++)
        {
            (await Next(slow)).Payload.ShouldBeEmpty();
            await slow.WriteAsync(Call(1, "tiny"));
        }

        (await Next(slow)).Payload.ShouldBeEmpty();
        await slow.WriteAsync([.. Enumerable.Range(1, ShortCalls).Select(static i => Call((uint)i, "short"))]);
        await waiting.WriteAsync(Call(1, "never"));
        Task<PingPongMessage> told = Next(waiting);
        int read = 0;
        var turns = new Turns();
        turns.Next();
        for (; !told.IsCompleted && read < ShortCalls; read++)
        {
            try
            {
                (await NextAsync(slow, turns)).Payload.ShouldBe(payload);
            }
            catch (IOException) when (turns.WereHeldUp)
            {
                await Patience.UntilAsync(
                    () => _proxy!.Records().Count(static record => record.Details == "downstream_too_slow") > endedBefore, "the reader was ended for being slow", () => _proxy!.Said);
                return false;
            }

            await Task.Delay(read % 4 == 0 ? 40 : 0);
            turns.Next();
        }

        read.ShouldBeLessThan(ShortCalls * 3 / 4);
        (await told).Payload.ShouldBe("proxy: no answer in time");
        return true;
    }

    private static async Task<PingPongMessage> NextAsync(PingPongConnection slow, Turns turns)
    {
        Task<PingPongMessage> next = Next(slow);
        while (!next.IsCompleted)
        {
            await Task.WhenAny(next, Task.Delay(Turns.Wait));
            turns.Next();
        }

        return await next;
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _owned.ForEach(static owned => owned.Dispose());
        if (_proxy is not null)
        {
            await _proxy.DisposeAsync();
        }

        _server.Dispose();
    }

    /// <summary>Two clients that wait for one server, which has the calls of both; the answer to the first, and the id of the second.</summary>
    private async Task<(PingPongConnection First, PingPongConnection Behind, PingPongConnection Server, ReadOnlyMemory<byte> Answer, uint Id)> BeginAsync(string timeout)
    {
        int port = await StartAsync($"timeout: {timeout}");
        PingPongConnection first = Connect(port);
        PingPongConnection behind = Connect(port);
        await first.WriteAsync(Call(1, "long"));
        PingPongConnection server = await AcceptAsync();
        uint id = (await Next(server)).Id;
        await behind.WriteAsync(Call(2, "behind"));
        uint other = (await Next(server)).Id;
        return (first, behind, server, PingPongConnection.Bytes(new PingPongMessage(PingPongKind.Result, id, "", new string('l', Parts * PartBytes))), other);
    }

    /// <summary>The proxy before the server, with one loop and so one connection; where its clients connect.</summary>
    /// <param name="policies">Of the calls to <paramref name="service"/>; the others have none.</param>
    /// <param name="service">Null for all.</param>
    private async Task<int> StartAsync(string policies, string? service = null)
    {
        _server.Start();
        var bootstrap = new Bootstrap { Program = PingPongMesh.Program(), Concurrency = 1 };
        bootstrap.Cluster("main", _server.LocalEndpoint);
        (string match, string others) = service is null ? ("", "") : ($"match: {{key_prefix: {service}}}, ", ", {forward: {cluster: main}}");
        int port = bootstrap.Listener("in", Bootstrap.XRpcProxy("pingpong", $"{{{match}forward: {{cluster: main}}, policies: {{{policies}}}}}{others}"));
        _proxy = await ProxyProcess.StartAsync(bootstrap);
        return port;
    }

    private async Task AnswerAllAsync(string payload)
    {
        while (true)
        {
            _ = AnswerAsync(await AcceptAsync(), payload);
        }
    }

    private static async Task AnswerAsync(PingPongConnection server, string payload)
    {
        while (await server.ReadAsync() is { } asked)
        {
            if (asked.Service != "never")
            {
                await server.WriteAsync(new PingPongMessage(PingPongKind.Result, asked.Id, "", asked.Service == "tiny" ? "" : payload));
            }
        }
    }

    private async Task<PingPongConnection> AcceptAsync()
    {
        var server = new PingPongConnection(await _server.AcceptSocketAsync());
        _owned.Add(server);
        return server;
    }

    private PingPongConnection Connect(int port, int receiveBuffer = 256 * 1024)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = receiveBuffer };
        socket.Connect(IPAddress.Loopback, port);
        var client = new PingPongConnection(socket);
        _owned.Add(client);
        return client;
    }
}

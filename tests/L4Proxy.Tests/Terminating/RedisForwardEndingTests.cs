using System.Diagnostics;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>Servers that misbehave, time-outs and drain: how a connection ends and what its record says.</summary>
public sealed class RedisForwardEndingTests
{
    [Theory]
    [InlineData("x\r\n", false, "UPE", "redis_reply_malformed")]
    [InlineData("*99999999999\r\n", false, "UPE", "redis_reply_malformed")]
    [InlineData("$5\r\nhellooo\r\n", false, "UPE", "redis_reply_malformed")]
    [InlineData("+PONG\r\n+PONG\r\n", false, "UPE", "redis_reply_without_request")]
    [InlineData("$100\r\npart", true, "UC", "redis_upstream_closed_with_commands_in_flight")]
    [InlineData("", true, "UC", "redis_upstream_closed_with_commands_in_flight")]
    [InlineData("\r\n\u001b[2Jlevel=error msg=\"forged\"\r\n", false, "UPE", "redis_reply_malformed")]
    public async Task RunAsync_ServerBreaksTheProtocol_ClosesWithAFixedPhrase(string answer, bool closes, string flag, string details)
    {
        using var server = new ScriptedUpstream(answer, closes);
        using var host = new RedisForwardHost(To(server));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("*1\r\n$4\r\nPING\r\n");
        await client.ReadToEndAsync();
        ConnectionRecord record = await host.FirstRecord;
        record.Flags.ShouldBe(Enum.Parse<ResponseFlags>(flag));
        record.Details.ShouldBe(details);
    }

    [Theory]
    [InlineData("+PONG\r\nx\r\n", "+PONG\r\n")]
    [InlineData("+PONG\r\n$2\r\nok\r\n$5\r\nhellooo\r\n", "+PONG\r\n$2\r\nok\r\n")]
    public async Task RunAsync_GoodAnswersBeforeAMalformedOneInTheSameRead_AreDelivered(string answer, string delivered)
    {
        using var server = new ScriptedUpstream(answer);
        using var host = new RedisForwardHost(To(server));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
        (await client.ReadToEndAsync()).ShouldBe(delivered);
        ConnectionRecord record = await host.FirstRecord;
        (record.Flags, record.Details).ShouldBe((ResponseFlags.UPE, "redis_reply_malformed"));
        record.BytesSent.ShouldBe(delivered.Length);
    }

    [Fact]
    public async Task Drain_NothingDue_EndsAtOnce()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        using var host = new RedisForwardHost(new RedisProxySnapshot { CatchAllCluster = $"{server.Port}" });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("*1\r\n$4\r\nPING\r\n");
        (await client.ReadAsync("+PONG\r\n".Length)).ShouldBe("+PONG\r\n");
        host.OnLoop(static forward => forward.Drain());
        (await client.ReadToEndAsync()).ShouldBeEmpty();
        ConnectionRecord record = await host.FirstRecord;
        (record.Flags, record.EndedBy, record.Details).ShouldBe((ResponseFlags.None, EndedBy.Proxy, "drain"));
    }

    [Fact]
    public async Task Tick_ServerSilentOverOpTimeout_EndsWithUpstreamTimeout()
    {
        using var server = new ScriptedUpstream("");
        using var host = new RedisForwardHost(To(server) with { OpTimeout = TimeSpan.FromSeconds(5) });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("*1\r\n$4\r\nPING\r\n");
        await server.Asked;
        host.OnLoop(static forward => forward.Tick(In(TimeSpan.FromSeconds(1))));
        host.OnLoop(static forward => forward.InFlight.ShouldBe(1));
        host.OnLoop(static forward => forward.Tick(In(TimeSpan.FromMinutes(1))));
        (await client.ReadToEndAsync()).ShouldBeEmpty();
        ConnectionRecord record = await host.FirstRecord;
        (record.Flags, record.Details).ShouldBe((ResponseFlags.UT, "redis_op_timeout"));
    }

    [Fact]
    public async Task Tick_BlockingCommandOverOpTimeout_GoesOnUntilIdle()
    {
        using var server = new ScriptedUpstream("");
        using var host = new RedisForwardHost(To(server) with { OpTimeout = TimeSpan.FromSeconds(5), IdleTimeout = TimeSpan.FromHours(1) });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("*3\r\n$5\r\nBLPOP\r\n$1\r\nk\r\n$1\r\n0\r\n");
        await server.Asked;
        host.OnLoop(static forward => forward.Tick(In(TimeSpan.FromMinutes(30))));
        host.OnLoop(static forward => forward.Tick(In(TimeSpan.FromHours(2))));
        (await client.ReadToEndAsync()).ShouldBeEmpty();
        ConnectionRecord record = await host.FirstRecord;
        (record.Flags, record.Details).ShouldBe((ResponseFlags.SI, "idle_timeout"));
    }

    [Fact]
    public async Task Drain_InTheMiddleOfALongCommand_TakesItsRestAndNothingMore()
    {
        await using RedisServer server = await RedisServer.StartAsync();
        using var host = new RedisForwardHost(new RedisProxySnapshot { CatchAllCluster = $"{server.Port}" });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        string half = new('v', 100_000);
        await client.SendAsync("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$200000\r\n" + half);
        while (host.Newest is not { InFlight: 1 })
        {
            await Task.Yield();
        }

        host.OnLoop(static forward => forward.Drain());
        await client.SendAsync(half + "\r\n");
        (await client.ReadToEndAsync()).ShouldBe("+OK\r\n");
        (await server.CommandAsync("STRLEN k\r\n")).ShouldBe(":200000\r\n");
        (await host.FirstRecord).Flags.ShouldBe(ResponseFlags.None);
    }

    [Fact]
    public async Task Abort_CommandInFlight_EndsWithTheReasonGiven()
    {
        using var server = new ScriptedUpstream("");
        using var host = new RedisForwardHost(To(server));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("PING\r\n");
        await server.Asked;
        host.OnLoop(static forward => forward.Abort(ResponseFlags.DT, "max_duration"));
        (await client.ReadToEndAsync()).ShouldBeEmpty();
        ConnectionRecord record = await host.FirstRecord;
        (record.Flags, record.EndedBy, record.Details).ShouldBe((ResponseFlags.DT, EndedBy.Proxy, "max_duration"));
    }

    [Fact]
    public async Task RunAsync_NameFillsTheWholeBuffer_IsRefusedWithoutWaitingForMore()
    {
        using var server = new ScriptedUpstream("");
        using var host = new RedisForwardHost(To(server));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("*2\r\n$2000000\r\n".PadRight(1024 * 1024, 'x'));
        (await client.ReadToEndAsync()).ShouldStartWith("-ERR MeshL4: ");
        (await host.FirstRecord).Details.ShouldBe("redis_command_too_big_to_route");
    }

    private static long In(TimeSpan time) => Stopwatch.GetTimestamp() + (long)(time.TotalSeconds * Stopwatch.Frequency);

    private static RedisProxySnapshot To(ScriptedUpstream server) => new() { CatchAllCluster = $"{server.Port}" };
}

using System.Diagnostics;
using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Terminating;

public sealed class RedisForwardTests : IAsyncLifetime
{
    private RedisServer _main = null!;
    private RedisServer _other = null!;

    public async Task InitializeAsync() => (_main, _other) = (await RedisServer.StartAsync(), await RedisServer.StartAsync());

    public async Task DisposeAsync()
    {
        await _main.DisposeAsync();
        await _other.DisposeAsync();
    }

    [Theory]
    [InlineData("SET a 1\r\nGET a\r\nINCR a\r\nLPUSH a x\r\nMGET a b\r\nNOSUCH x\r\n\r\nEXISTS a a\r\nDEL a\r\nLRANGE l 0 -1\r\n")]
    [InlineData("MULTI\r\nSET t 1\r\nGET t\r\nEXEC\r\nGET t\r\nDEL t\r\nMULTI\r\nDISCARD\r\nEXEC\r\n")]
    [InlineData("EVAL \"return {1,{2,{3,'a'}},false}\" 0\r\nCOMMAND INFO get\r\nPING hello\r\nECHO \"a\\x00b\"\r\n")]
    [InlineData("HELLO 2 SETNAME x\r\nCLIENT GETNAME\r\nSELECT 3\r\nSET q 1\r\nDBSIZE\r\nFLUSHALL\r\nQUIT\r\nPING\r\n")]
    [InlineData("*1\r\n$4\r\nPING\r\n*0\r\n*-1\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n")]
    [InlineData("HELLO 3\r\nSET p 1\r\nGET p\r\n")]
    [InlineData("CLIENT REPLY OFF\r\nSET p 1\r\nCLIENT REPLY ON\r\nGET p\r\n")]
    [InlineData("SUBSCRIBE c\r\nPING\r\nUNSUBSCRIBE c\r\n")]
    public async Task RunAsync_SameBytesToServerAndProxy_GivesTheSameAnswers(string commands)
    {
        using var host = new RedisForwardHost(CatchAll());
        string direct = Regular(await _main.CommandAsync(commands));
        await _main.CommandAsync("FLUSHALL\r\n");
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        Regular(await client.ExchangeAsync(commands)).ShouldBe(direct);
    }

    [Fact]
    public async Task RunAsync_PipelineOverTwoClusters_AnswersInOrder()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: false));
        var commands = new StringBuilder();
        var expected = new StringBuilder();
        for (int i = 0; i < 2000; i++)
        {
            string key = (i % 3 == 0 ? "o:" : "") + i;
            commands.Append($"*3\r\n$3\r\nSET\r\n${key.Length}\r\n{key}\r\n${key.Length}\r\n{key}\r\n*2\r\n$3\r\nGET\r\n${key.Length}\r\n{key}\r\n");
            expected.Append($"+OK\r\n${key.Length}\r\n{key}\r\n");
        }

        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        (await client.ExchangeAsync(commands.ToString())).ShouldBe(expected.ToString());
        (await _other.CommandAsync("DBSIZE\r\n")).ShouldBe(":667\r\n");
        (await _main.CommandAsync("DBSIZE\r\n")).ShouldBe(":1333\r\n");
    }

    [Fact]
    public async Task RunAsync_PrefixRemoved_ServerSeesTheShortKeys()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: true));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        string big = new('v', 300_000);
        (await client.ExchangeAsync($"*3\r\n$3\r\nSET\r\n$5\r\no:big\r\n$300000\r\n{big}\r\nMSET o:a 1 o:b 2\r\n*2\r\n$3\r\nGET\r\n$3\r\no:a\r\nMGET o:a b\r\n"))
            .ShouldBe("+OK\r\n+OK\r\n$1\r\n1\r\n-ERR MeshL4: keys of MGET are on different clusters\r\n");
        (await _other.CommandAsync("MGET a b\r\nSTRLEN big\r\n")).ShouldBe("*2\r\n$1\r\n1\r\n$1\r\n2\r\n:300000\r\n");
    }

    [Fact]
    public async Task RunAsync_TransactionWithPrefixRoutes_StaysOnTheClusterOfItsFirstKey()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: false));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        (await client.ExchangeAsync("MULTI\r\nSET o:t 1\r\nEXEC\r\nMULTI\r\nSET o:t 2\r\nSET t 2\r\nEXEC\r\nGET o:t\r\nMULTI\r\nEXEC\r\nWATCH o:t\r\nMULTI\r\nGET o:t\r\nEXEC\r\n"))
            .ShouldBe("+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"
                + "+OK\r\n+QUEUED\r\n-ERR MeshL4: keys of SET are on different clusters\r\n-EXECABORT Transaction discarded because of previous errors.\r\n"
                + "$1\r\n1\r\n+OK\r\n*0\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n1\r\n");
    }

    [Fact]
    public async Task RunAsync_ThirtyTwoMegabytes_PassThrough()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: false));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        string value = new('x', 32 * 1024 * 1024);
        string answer = await client.ExchangeAsync($"*3\r\n$3\r\nSET\r\n$5\r\no:big\r\n${value.Length}\r\n{value}\r\nGET o:big\r\nPING\r\n");
        (answer == $"+OK\r\n${value.Length}\r\n{value}\r\n+PONG\r\n").ShouldBeTrue();
    }

    [Fact]
    public async Task RunAsync_Subscribe_RelaysMessagesAsTheyCome()
    {
        using var host = new RedisForwardHost(CatchAll());
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("PING\r\nSUBSCRIBE c\r\n");
        const string subscribed = "+PONG\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
        (await client.ReadAsync(subscribed.Length).WaitAsync(TimeSpan.FromSeconds(5))).ShouldBe(subscribed);
        await _main.CommandAsync("PUBLISH c hi\r\n").WaitAsync(TimeSpan.FromSeconds(5));
        (await client.ExchangeAsync("UNSUBSCRIBE c\r\n").WaitAsync(TimeSpan.FromSeconds(5))).ShouldStartWith("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n");
        (await host.FirstRecord).Flags.ShouldBe(ResponseFlags.None);
    }

    [Theory]
    [InlineData("*2000000000\r\n", "-ERR Protocol error: invalid multibulk length\r\n")]
    [InlineData("PING\r\n*1\r\n:3\r\n", "+PONG\r\n-ERR Protocol error: expected '$'\r\n")]
    [InlineData("GET \"x\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n")]
    public async Task RunAsync_BadBytes_AnswersOnceAndClosesWithReason(string input, string expected)
    {
        using var host = new RedisForwardHost(CatchAll());
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync(input);
        (await client.ReadToEndAsync()).ShouldBe(expected);
        ConnectionRecord record = await host.FirstRecord;
        record.Flags.ShouldBe(ResponseFlags.DPE);
        record.Details!.ShouldStartWith("redis_protocol_error_");
    }

    [Fact]
    public async Task RunAsync_OneByteAtATime_IsAnswered()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: true));
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        foreach (char c in "*3\r\n$3\r\nSET\r\n$3\r\no:k\r\n$1\r\nv\r\nGET o:k\r\n")
        {
            await client.SendAsync(c.ToString());
        }

        (await client.ExchangeAsync("")).ShouldBe("+OK\r\n$1\r\nv\r\n");
    }

    [Fact]
    public async Task RunAsync_UpstreamRefuses_AnswersInOrderAndGoesOn()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: false) with { CatchAllCluster = "1" });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        (await client.ExchangeAsync("SET o:a 1\r\nGET b\r\nGET o:a\r\n"))
            .ShouldBe("+OK\r\n-ERR MeshL4: no connection to the upstream\r\n$1\r\n1\r\n");
        (await host.FirstRecord).Flags.ShouldBe(ResponseFlags.UF);
    }

    [Fact]
    public async Task RunAsync_CaseInsensitivePrefix_TakesKeysOfEitherCase()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: false) with { CaseInsensitivePrefixes = true });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        (await client.ExchangeAsync("SET O:a 1\r\nSET o:b 2\r\nSET oa 3\r\n")).ShouldBe("+OK\r\n+OK\r\n+OK\r\n");
        (await _other.CommandAsync("MGET O:a o:b oa\r\n")).ShouldBe("*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n");
    }

    [Fact]
    public async Task RunAsync_NoRoute_AnswersAnError()
    {
        using var host = new RedisForwardHost(TwoClusters(remove: false) with { CatchAllCluster = null });
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        (await client.ExchangeAsync("PING\r\nSET o:a 1\r\n")).ShouldBe("-ERR MeshL4: no route for PING\r\n+OK\r\n");
    }

    [Fact]
    public async Task RunAsync_ServerCloses_EndsTheIdleClient()
    {
        using var host = new RedisForwardHost(CatchAll());
        using RedisConnection client = await RedisConnection.OpenAsync(host.Port);
        await client.SendAsync("PING\r\n");
        (await client.ReadAsync(7)).ShouldBe("+PONG\r\n");
        await _main.CommandAsync("CLIENT KILL TYPE normal SKIPME yes\r\n");
        (await client.ReadToEndAsync()).ShouldBeEmpty();
        (await host.FirstRecord).EndedBy.ShouldBe(EndedBy.Upstream);
    }

    [Fact]
    public async Task RunAsync_RedisBenchmark_EndsWithoutErrorAndIsCounted()
    {
        using var host = new RedisForwardHost(CatchAll());
        using Process benchmark = Process.Start(new ProcessStartInfo(
            "redis-benchmark", ["-p", $"{host.Port}", "-n", "2000", "-c", "8", "-P", "16", "-q"])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> errors = benchmark.StandardError.ReadToEndAsync();
        string output = await benchmark.StandardOutput.ReadToEndAsync();
        await benchmark.WaitForExitAsync();
        output.ShouldNotContain("rror");
        (await errors).ShouldNotContain("rror:");
        benchmark.ExitCode.ShouldBe(0);
        var seen = new MetricLines();
        host.Stats.Collect(seen);
        seen.Value("redis.test.command.get.total").ShouldBeGreaterThanOrEqualTo(2000);
        seen.Value("redis.test.command.get.success").ShouldBe(seen.Value("redis.test.command.get.total"));
        seen.Value("redis.test.command.get.error").ShouldBe(0);
        seen.Value("redis.test.command.get.latency").ShouldBe(seen.Value("redis.test.command.get.total"));
    }

    private RedisProxySnapshot CatchAll() => new() { CatchAllCluster = $"{_main.Port}" };

    private RedisProxySnapshot TwoClusters(bool remove) =>
        CatchAll() with { Routes = [new RedisRouteSnapshot("o:", remove, $"{_other.Port}")] };

    // HELLO tells the connection's number.
    private static string Regular(string reply) => System.Text.RegularExpressions.Regex.Replace(reply, "id\r\n:[0-9]+", "id");
}

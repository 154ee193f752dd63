using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What changes the state of a client's own connection is not given up there behind a request that blocks it: it would happen all the same, unknown to the proxy.</summary>
public sealed class RedisBlockedStateTests : IDisposable
{
    private static readonly TimeSpan Longer = TimeSpan.FromSeconds(4);

    private readonly Peer _redis = Peer.Redis();
    private readonly int _port = Ports.Free();
    private readonly Sidecar _proxy;

    public RedisBlockedStateTests() => _proxy = Sidecar.Start(
        new Boot().Listen("l", _port, Boot.Chain(Boot.XRpc("{forward: {cluster: main}}", ", policies: {timeout: 3s}"))).With(Boot.Cluster("main", [_redis.Address])), concurrency: 1);

    [Theory]
    [InlineData("MULTI", "SET k 1|+QUEUED", "EXEC|*1")]
    [InlineData("CLIENT TRACKING ON")]
    [InlineData("CLIENT NO-EVICT ON")]
    [InlineData("MONITOR")]
    public async Task ChangeBehindABlockedRequest_HappensWhenThatIsAnswered(string change, params string[] then)
    {
        using Call direct = Call.To(_redis.Port);
        using Call client = Call.To(_port);
        client.Send($"WATCH k\r\nBLPOP q 0\r\n{change}\r\n");
        client.ReadLine().ShouldBe("+OK");
        Wait.Until(() => Run.Must("redis-cli", "-p", $"{_redis.Port}", "CLIENT", "LIST").Contains("cmd=blpop", StringComparison.Ordinal), "nobody waits at the server");
        await Task.Delay(Longer);
        direct.Ask("RPUSH q x").ShouldBe(":1");
        string[] popped = ["*2", "$1", "q", "$1", "x"];
        popped.Select(_ => client.ReadLine()).ShouldBe(popped);
        client.ReadLine().ShouldBe("+OK");
        foreach (string[] step in then.Select(static one => one.Split('|')))
        {
            client.Ask(step[0]).ShouldBe(step[1]);
        }
    }

    /// <summary>Given up meanwhile it would be executed all the same. Its time begins when its turn has come.</summary>
    [Fact]
    public async Task RequestBehindABlockedOne_HasItsTimeFromThatOnesAnswer()
    {
        using Call direct = Call.To(_redis.Port);
        using Call client = Call.To(_port);
        client.Send("WATCH k\r\nBLPOP q 0\r\nINCR n\r\n");
        client.ReadLine().ShouldBe("+OK");
        Wait.Until(() => Run.Must("redis-cli", "-p", $"{_redis.Port}", "CLIENT", "LIST").Contains("cmd=blpop", StringComparison.Ordinal), "nobody waits at the server");
        await Task.Delay(Longer);
        direct.Ask("RPUSH q x").ShouldBe(":1");
        string[] answers = ["*2", "$1", "q", "$1", "x", ":1"];
        answers.Select(_ => client.ReadLine()).ShouldBe(answers);
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _redis.Dispose();
    }
}

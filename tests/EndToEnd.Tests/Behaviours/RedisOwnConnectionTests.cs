using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>How long a client's own connection lives: a PING keeps it, and when nobody has it any more it goes.</summary>
public sealed class RedisOwnConnectionTests : IDisposable
{
    /// <summary>Private connections that a loop keeps for the next, the shared one, and who asks.</summary>
    private const int Kept = 6;

    private readonly Peer _redis = Peer.Redis();
    private readonly int _port = Ports.Free();
    private readonly Sidecar _proxy;

    public RedisOwnConnectionTests() => _proxy = Sidecar.Start(
        new Boot().Listen("l", _port, Boot.Chain(Boot.XRpc("{forward: {cluster: main}}"))).With(Boot.Cluster("main", [_redis.Address])), concurrency: 1);

    [Theory]
    [InlineData("WATCH k|+OK")]
    [InlineData("CLIENT NO-EVICT ON|+OK")]
    public void Ping_GoesToTheServer(string before)
    {
        using Call client = Call.To(_port);
        string[] steps = before.Split('|');
        for (int i = 0; i < steps.Length; i += 2)
        {
            client.Ask(steps[i])!.ShouldStartWith(steps[i + 1]);
        }

        client.Ask("PING").ShouldBe("+PONG");
        client.Ask("PING a b").ShouldBe("-ERR wrong number of arguments for 'ping' command");
        Clients().ShouldContain("cmd=ping");
        client.Send("PING word\r\nCLIENT REPLY SKIP\r\nPING\r\nPING last\r\n");
        string[] answers = ["$4", "word", "$4", "last"];
        answers.Select(_ => client.ReadLine()).ShouldBe(answers);
        client.Send("CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\n");
        client.ReadLine().ShouldBe("+OK");
    }

    [Fact]
    public void Ping_OfWhoSharesConnections_IsAnsweredHere()
    {
        using Call client = Call.To(_port);
        client.Ask("GET k").ShouldBe("$-1");
        client.Ask("PING").ShouldBe("+PONG");
        Clients().ShouldNotContain("cmd=ping");
    }

    [Fact]
    public void ConnectionsOfACrowdThatBlocked_GoWhenNobodyHasThem()
    {
        const int Crowd = 40;
        Call[] crowd = [.. Enumerable.Range(0, Crowd).Select(_ => Call.To(_port))];
        foreach (Call client in crowd)
        {
            client.Send("BLPOP q 0\r\n");
        }

        Wait.Until(() => Clients().Split("cmd=blpop").Length > Crowd, "not all wait at the server");
        using Call pushes = Call.To(_redis.Port);
        pushes.Ask("RPUSH q " + string.Join(' ', Enumerable.Repeat("x", Crowd))).ShouldBe($":{Crowd}");
        foreach (Call client in crowd)
        {
            client.ReadLine().ShouldBe("*2");
            client.Dispose();
        }

        pushes.Dispose();
        Wait.Until(() => Clients().Trim().Split('\n').Length <= Kept, Clients);
    }

    public void Dispose()
    {
        _proxy.Dispose();
        _redis.Dispose();
    }

    private string Clients() => Run.Must("redis-cli", "-p", $"{_redis.Port}", "CLIENT", "LIST");
}

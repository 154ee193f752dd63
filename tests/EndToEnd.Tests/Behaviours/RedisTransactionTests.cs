using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Transactions and waits through routes and policies: each ends, and ends as at the server itself.</summary>
public sealed class RedisTransactionTests : IDisposable
{
    private const string Aborted = "-EXECABORT Transaction discarded because of previous errors.";

    private readonly Peer _redis = Peer.Redis();
    private readonly Peer _other = Peer.Redis();

    [Fact]
    public void WithoutACatchAll_TransactionsEnd()
    {
        using Sidecar proxy = Start("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}", "", out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a:1 x").ShouldBe("+QUEUED");
        client.Ask("PING").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*2");
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe("+PONG");

        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a:1 y").ShouldBe("+QUEUED");
        client.Ask("DISCARD").ShouldBe("+OK");
        client.Ask("STRLEN a:1").ShouldBe(":1");

        client.Ask("WATCH a:1").ShouldBe("+OK");
        client.Ask("UNWATCH").ShouldBe("+OK");
        client.Ask("STRLEN a:1").ShouldBe(":1");
    }

    /// <summary>What concerns all keys, or no server but that of the transaction, is the one server's where there is just one.</summary>
    [Theory]
    [InlineData("PING", "+PONG")]
    [InlineData("DBSIZE", ":0")]
    [InlineData("WAIT 0 10", ":0")]
    public void WithoutACatchAll_TransactionsBeginWithoutAKey(string first, string answer)
    {
        using Sidecar proxy = Start("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main, remove_key_prefix: true}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: main}}", "", out int port);
        using Call client = Call.To(port);
        client.Ask("WAIT 0 10").ShouldBe(":0");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask(first).ShouldBe("+QUEUED");
        client.Ask("SET a:1 x").ShouldBe("+QUEUED");
        client.Ask(first).ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*3");
        client.ReadLine().ShouldBe(answer);
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe(answer.Replace(":0", first == "DBSIZE" ? ":1" : ":0", StringComparison.Ordinal));

        client.Ask("WATCH b:1").ShouldBe("+OK");
        client.Ask("DBSIZE").ShouldBe(":1");
        client.Ask("WAIT 0 10").ShouldBe(":0");
    }

    /// <summary>Without a default route nobody says which of several it would be.</summary>
    [Fact]
    public void WithoutACatchAll_OfSeveralServersNoneIsGuessed()
    {
        using Sidecar proxy = Start("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: ring}}", "", out int port);
        using Call client = Call.To(port);
        client.Ask("WAIT 0 10").ShouldBe("-ERR MeshL4: WAIT goes to several nodes, which a transaction or WAIT cannot");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("PING").ShouldBe("-ERR MeshL4: no route for PING");
        client.Ask("EXEC").ShouldBe(Aborted);
    }

    [Theory]
    [InlineData("SELECT 1", "+OK")]
    [InlineData("HELLO 3", "%7")]
    [InlineData("AUTH default x", "+OK")]
    public void ChangeOfStateThatIsRefused_DidNotHappen(string change, string allowed)
    {
        using Sidecar denies = Start("{name: all, forward: {cluster: main}}", "authorization: {deny: [{methods: [SELECT, HELLO, AUTH]}]}", out int port, concurrency: 1);
        using Call client = Call.To(port);
        client.Ask("SET a 1").ShouldBe("+OK");
        client.Ask(change).ShouldStartWith("-NOPERM");
        client.Ask("EXISTS a").ShouldBe(":1");
        client.Ask("GET none").ShouldBe("$-1");
        client.Ask("CLIENT INFO").ShouldStartWith("$");
        client.ReadLine()!.ShouldContain(" user=default ");
        Call.Ask(_redis.Port, change).ShouldBe(allowed);
        denies.Stat("cluster.main.upstream_cx_total").ShouldBe(1);
    }

    [Fact]
    public void CatchAllThatRejects_EndsNoTransactionOfOtherRoutes_AndKeepsWhatIsItsOwn()
    {
        using Sidecar proxy = Start("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}, {name: no, reject: {message: ERR closed}}", "", out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a:1 x").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*1");
        client.ReadLine().ShouldBe("+OK");

        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("STRLEN a:1").ShouldBe("+QUEUED");
        client.Ask("FLUSHALL").ShouldBe("-ERR closed");
        client.Ask("EXEC").ShouldBe(Aborted);
        client.Ask("STRLEN a:1").ShouldBe(":1");
    }

    [Fact]
    public void DeniedCommand_SpoilsTheTransaction()
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", "authorization: {deny: [{methods: [GET], keys: [{prefix: 'b:'}]}]}", out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a 1").ShouldBe("+QUEUED");
        client.Ask("GET b:1").ShouldStartWith("-NOPERM");
        client.Ask("EXEC").ShouldBe(Aborted);
        client.Ask("EXISTS a").ShouldBe(":0");
    }

    [Fact]
    public void FirstCommandDenied_FailsTheExec()
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", "authorization: {deny: [{methods: [GET]}]}", out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("GET b:1").ShouldStartWith("-NOPERM");
        client.Ask("SET a 1").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe(Aborted);
        client.Ask("EXISTS a").ShouldBe(":0");
    }

    [Theory]
    [InlineData("EXEC")]
    [InlineData("DISCARD")]
    public void EndThatIsRefused_EndsTheTransaction(string end)
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", "authorization: {deny: [{methods: [EXEC, DISCARD]}]}", out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a 1").ShouldBe("+QUEUED");
        client.Ask(end).ShouldBe(Aborted);
        client.Ask("EXISTS a").ShouldBe(":0");
        client.Ask("SET a 1").ShouldBe("+OK");
        string ClientList() => Run.Must("redis-cli", "-p", $"{_redis.Port}", "CLIENT", "LIST").Trim();
        Wait.Until(() => ClientList().Split('\n').All(static line => line.Contains(" multi=-1 ", StringComparison.Ordinal)), ClientList);
    }

    [Theory]
    [InlineData("BLPOP q 0", false)]
    [InlineData("BLPOP q 0", true)]
    [InlineData("XREAD BLOCK 0 STREAMS q $", false)]
    [InlineData("WAIT 3 0", false)]
    public void BlockedClientThatLeaves_IsUnblockedAtTheServer(string command, bool resets)
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", "", out int port);
        using (Call client = Call.To(port))
        {
            client.Send(command + "\r\n");
            Wait.Until(() => Blocked() == 1, "not blocked");
            client.Socket.LingerState = new System.Net.Sockets.LingerOption(resets, 0);
        }

        Wait.Until(() => Blocked() == 0, "still blocked");
        using Call next = Call.To(port);
        next.Ask("RPUSH q x").ShouldBe(":1");
        next.Ask("LLEN q").ShouldBe(":1");
    }

    [Fact]
    public void BlockedClientThatLeaves_OnAConnectionOfItsOwn_IsUnblocked()
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", "", out int port);
        using (Call client = Call.To(port))
        {
            client.Send("HELLO 3\r\nCLIENT TRACKING ON\r\n");
            for (string? line = ""; line != "+OK"; line = client.ReadLine())
            {
                // What was not read would make the kernel reset the connection.
            }

            client.Send("BLPOP q 0\r\n");
            Wait.Until(() => Blocked() == 1, "not blocked");
        }

        Wait.Until(() => Blocked() == 0, "still blocked");
    }

    /// <summary>What names MULTI holds wherever MULTI is sent from: by the client behind WATCH, else ahead of the first command.</summary>
    [Theory]
    [InlineData("", "authorization: {deny: [{methods: [MULTI]}]}", "-NOPERM MeshL4: this command is not allowed")]
    [InlineData("{name: no, match: {methods: [MULTI]}, reject: {message: ERR closed}}, ", "", "-ERR closed")]
    [InlineData("", "faults: [{methods: [MULTI], abort: {message: ERR f}}]", "-ERR f")]
    [InlineData("{name: own, match: {methods: [MULTI]}, forward: {cluster: main}, policies: {authorization: {deny: [{}]}}}, ", "", "-NOPERM MeshL4: this command is not allowed")]
    public void RulesForMulti_HoldForEveryTransaction(string route, string policies, string refusal)
    {
        using Sidecar proxy = Start(route + "{name: all, forward: {cluster: main}}", policies, out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a 1").ShouldBe(refusal);
        client.Ask("SET a 2").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe(Aborted);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Send(RedisFront.Command("SET", "a", new string('x', 300_000)));
        client.ReadLine().ShouldBe(refusal);
        client.Ask("DISCARD").ShouldBe("+OK");
        client.Ask("WATCH a").ShouldBe("+OK");
        client.Ask("MULTI").ShouldBe(refusal);
        client.Ask("EXISTS a").ShouldBe(":0");
        Call.Ask(_redis.Port, "EXISTS a").ShouldBe(":0");
    }

    [Fact]
    public void HashTags_KeepKeysOfOneRequestTogether()
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: ring}}", "", out int port);
        using Call client = Call.To(port);
        for (int i = 0; i < 20; i++)
        {
            client.Ask($"MSETNX {{t{i}}}a 1 {{t{i}}}b 2 {{t{i}}}c 3").ShouldBe(":1");
        }

        Run.Must("redis-cli", "-p", $"{_redis.Port}", "DBSIZE").Trim().ShouldNotBe("60");
        Run.Must("redis-cli", "-p", $"{_other.Port}", "DBSIZE").Trim().ShouldNotBe("60");
    }

    public void Dispose()
    {
        _redis.Dispose();
        _other.Dispose();
    }

    private int Blocked() =>
        Run.Must("redis-cli", "-p", $"{_redis.Port}", "INFO", "clients").Contains("blocked_clients:1", StringComparison.Ordinal) ? 1 : 0;

    /// <param name="concurrency">With two loops a client may go from one to the other, and has a connection on each.</param>
    private Sidecar Start(string routes, string policies, out int port, int concurrency = 2)
    {
        port = Ports.Free();
        string filter = Boot.XRpc(routes, $", policies: {{{policies}}}");
        return Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(filter))
            .With(Boot.Cluster("main", [_redis.Address]), Boot.Cluster("ring", [_redis.Address, _other.Address], ", lb_policy: RING_HASH")), concurrency: concurrency);
    }
}

using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>
/// What a server refuses that would begin or end a state of its connection. The two clients of each test share one event loop and its pool: the second
/// is to find nothing of the first.
/// </summary>
public sealed class RedisRefusedStateTests : IDisposable
{
    private const string Aborted = "-EXECABORT Transaction discarded because of previous errors.";
    private const string MultiDenied = "-NOPERM this user has no permissions to run the 'multi' command";

    private readonly Peer _redis = Peer.Redis(
        "--user", "multi", "on", ">x", "~*", "&*", "+@all", "-multi",
        "--user", "discard", "on", ">x", "~*", "&*", "+@all", "-discard",
        "--user", "unwatch", "on", ">x", "~*", "&*", "+@all", "-unwatch",
        "--user", "monitor", "on", ">x", "~*", "&*", "+@all", "-monitor");

    private readonly List<IDisposable> _others = [];

    [Fact]
    public void Multi_ThatIsRefused_HasNothingExecuted_AndLeavesNoDatabaseToOthers()
    {
        (Call first, Call second) = Clients("multi");
        first.Ask("MULTI").ShouldBe("+OK");
        first.Ask("SELECT 1").ShouldBe(MultiDenied);
        first.Ask("SET k first").ShouldBe("+QUEUED");
        first.Ask("EXEC").ShouldBe(Aborted);
        first.Ask("EXISTS k").ShouldBe(":0");
        first.Ask("SELECT 1").ShouldBe("+OK");
        first.Ask("EXISTS k").ShouldBe(":0");

        second.Ask("RPUSH q x").ShouldBe(":1");
        second.Ask("BLPOP q 5").ShouldBe("*2");
    }

    /// <summary>What stands right behind is in the same packet as the MULTI that nobody has asked the server for.</summary>
    [Fact]
    public void Multi_ThatIsRefused_ExecutesNothingThatIsPipelined()
    {
        (Call first, _) = Clients("multi");
        first.Send("MULTI\nSET k 1\nINCR k\nEXEC\nEXISTS k\nMULTI\nSET k 1\nDISCARD\nEXISTS k\n");
        string[] answers = ["+OK", MultiDenied, "+QUEUED", Aborted, ":0", "+OK", MultiDenied, "+OK", ":0"];
        answers.Select(_ => first.ReadLine()).ShouldBe(answers);
    }

    [Fact]
    public void Multi_ThatTheServerDoesNotHave_ExecutesNothing()
    {
        Peer renamed = Peer.Redis("--rename-command", "MULTI", "");
        _others.Add(renamed);
        Call client = Call.To(Start(renamed));
        _others.Add(client);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET k 1").ShouldStartWith("-ERR unknown command 'MULTI'");
        client.Ask("EXEC").ShouldBe(Aborted);
        client.Ask("EXISTS k").ShouldBe(":0");
    }

    /// <summary>There the client hears of it at once, and what follows is no transaction, as at the server itself.</summary>
    [Fact]
    public void Multi_ThatIsRefusedBehindWatch_BeginsNothing()
    {
        (Call first, Call second) = Clients("multi");
        first.Send("WATCH w\nMULTI\nSELECT 1\nSET k 1\nEXEC\nEXISTS k\nUNWATCH\n");
        string[] answers = ["+OK", MultiDenied, "+OK", "+OK", "-ERR EXEC without MULTI", ":1", "+OK"];
        answers.Select(_ => first.ReadLine()).ShouldBe(answers);
        second.Ask("WATCH k").ShouldBe("+OK");
        second.Ask("EXISTS k").ShouldBe(":0");
    }

    [Fact]
    public void Discard_ThatIsRefused_LeavesNoTransactionToOthers_AndExecutesNothing()
    {
        (Call first, Call second) = Clients("discard");
        first.Ask("MULTI").ShouldBe("+OK");
        first.Ask("SET k first").ShouldBe("+QUEUED");
        first.Ask("DISCARD").ShouldStartWith("-NOPERM");
        first.Ask("SET k first").ShouldBe("+QUEUED");
        first.Ask("EXEC").ShouldBe(Aborted);

        second.Ask("RPUSH q x").ShouldBe(":1");
        second.Ask("BLPOP q 5").ShouldBe("*2");
        second.ReadLine();
        second.ReadLine().ShouldBe("q");
        second.ReadLine();
        second.ReadLine().ShouldBe("x");
        second.Ask("MULTI").ShouldBe("+OK");
        second.Ask("EXISTS k").ShouldBe("+QUEUED");
        second.Ask("EXEC").ShouldBe("*1");
        second.ReadLine().ShouldBe(":0");
    }

    /// <summary>The DISCARD is the proxy's own, for a transaction that was spoiled here.</summary>
    [Theory]
    [InlineData("", 4)]
    [InlineData("CLIENT REPLY OFF\n", 0)]
    public void SpoiledTransaction_ThatTheServerDoesNotDiscard_IsNobodyElses(string before, int answers)
    {
        (Call first, Call second) = Clients("discard");
        first.Send(before + "MULTI\nSET k first\nCLIENT ID\nEXEC\nCLIENT REPLY ON\n");
        string[] said = ["+OK", "+QUEUED", "-ERR MeshL4: CLIENT ID is not supported inside MULTI through this proxy", Aborted];
        said.Take(answers).Select(_ => first.ReadLine()).ShouldBe(said.Take(answers));
        first.ReadLine().ShouldBe("+OK");
        first.Ask("EXISTS k").ShouldBe(":0");
        second.Ask("RPUSH q x").ShouldBe(":1");
        second.Ask("BLPOP q 5").ShouldBe("*2");
    }

    [Fact]
    public void Unwatch_ThatIsRefused_WatchesOn_ForThisClientAlone()
    {
        (Call first, Call second) = Clients("unwatch");
        first.Ask("WATCH w").ShouldBe("+OK");
        first.Ask("UNWATCH").ShouldStartWith("-NOPERM");
        Call.Ask(_redis.Port, "SET w changed").ShouldBe("+OK");

        second.Ask("MULTI").ShouldBe("+OK");
        second.Ask("SET k 1").ShouldBe("+QUEUED");
        second.Ask("EXEC").ShouldBe("*1");
        second.ReadLine().ShouldBe("+OK");

        first.Ask("MULTI").ShouldBe("+OK");
        first.Ask("SET k 2").ShouldBe("+QUEUED");
        first.Ask("EXEC").ShouldBe("*-1");
    }

    /// <summary>The client monitors nothing, and changes its state as before; who may monitor does, behind that.</summary>
    [Theory]
    [InlineData("MONITOR", "-NOPERM")]
    [InlineData("MONITOR x", "-ERR wrong number of arguments for 'monitor' command")]
    public void Monitor_ThatIsRefused_IsForItsAnswerAlone(string command, string refusal)
    {
        (Call first, _) = Clients("monitor");
        first.Ask(command).ShouldStartWith(refusal);
        first.Ask("SELECT 1").ShouldBe("+OK");
        first.Ask("CLIENT SETNAME me").ShouldBe("+OK");
        first.Ask("EXISTS k").ShouldBe(":0");
        first.Ask("AUTH default x").ShouldBe("+OK");
        first.Ask("MONITOR").ShouldBe("+OK");
        Call.Ask(_redis.Port, "PING seen");
        first.ReadLine()!.ShouldEndWith("\"PING\" \"seen\"");
        first.Ask("RESET").ShouldBe("+RESET");
        first.Ask("EXISTS k").ShouldBe(":0");
    }

    /// <summary>While it is subscribed the client's connection relays: what is refused there is an answer like any other.</summary>
    [Fact]
    public void Monitor_ThatIsRefusedToASubscriber_EndsWithItsAnswer()
    {
        (Call first, _) = Clients("monitor");
        first.Ask("HELLO 3").ShouldBe("%7");
        first.Send("SUBSCRIBE c\nMONITOR\nUNSUBSCRIBE c\nPING end\n");
        for (string? line = ""; line != "end"; line = first.ReadLine())
        {
            line.ShouldNotBeNull();
        }

        first.Ask("SELECT 1").ShouldBe("+OK");
    }

    /// <summary>What is as new goes back: transactions that end in order have one connection, however many there are.</summary>
    [Fact]
    public void Transactions_ThatEndInOrder_ShareAConnection()
    {
        using Sidecar proxy = Start(_redis, out int port);
        using Call client = Call.To(port);
        for (int i = 0; i < 5; i++)
        {
            client.Send("MULTI\nINCR n\nEXEC\nMULTI\nINCR n\nDISCARD\nWATCH n\nUNWATCH\nBLPOP n 1\n");
            string[] answers = ["+OK", "+QUEUED", "*1", $":{i + 1}", "+OK", "+QUEUED", "+OK", "+OK", "+OK"];
            answers.Select(_ => client.ReadLine()).ShouldBe(answers);
            client.ReadLine().ShouldStartWith("-WRONGTYPE");
        }

        proxy.Stat("cluster.main.upstream_cx_total").ShouldBe(1);
    }

    public void Dispose()
    {
        _others.Reverse();
        _others.ForEach(static other => other.Dispose());
        _redis.Dispose();
    }

    private (Call First, Call Second) Clients(string user)
    {
        int port = Start(_redis);
        Call[] clients = [Call.To(port), Call.To(port)];
        foreach (Call client in clients)
        {
            _others.Add(client);
            client.Ask($"AUTH {user} x").ShouldBe("+OK");
        }

        return (clients[0], clients[1]);
    }

    private int Start(Peer server)
    {
        _others.Add(Start(server, out int port));
        return port;
    }

    private static Sidecar Start(Peer server, out int port)
    {
        port = Ports.Free();
        return Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: main}"))).With(Boot.Cluster("main", [server.Address])), concurrency: 1);
    }
}

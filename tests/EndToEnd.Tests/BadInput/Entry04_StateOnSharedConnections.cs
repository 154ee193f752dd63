using MeshL4.EndToEnd.Tests.Behaviours;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>
/// Entry 4: commands that give a connection a state meet a proxy whose connections are shared; through a cluster of several servers and
/// with a mirror they ended the process. What pins and what chooses another connection, in the codec: the class of this name in tests/XRpc.Tests.
/// </summary>
public sealed class Entry04_StateOnSharedConnections(RedisClientTests.World world) : IClassFixture<RedisClientTests.World>
{
    [Fact]
    public void Transaction_BesideOtherClients_HoldsItsOwnCommandsOnly()
    {
        using var front = new RedisFront();
        using Call one = Call.To(front.Port);
        using Call other = Call.To(front.Port);
        one.Ask("MULTI").ShouldBe("+OK");
        one.Ask("INCR mine").ShouldBe("+QUEUED");
        other.Ask("INCR others").ShouldBe(":1");
        other.Ask("EXEC").ShouldBe("-ERR EXEC without MULTI");
        one.Ask("INCR mine").ShouldBe("+QUEUED");
        one.Ask("EXEC").ShouldBe("*2");
        one.ReadLine().ShouldBe(":1");
        one.ReadLine().ShouldBe(":2");
        one.Ask("GET others").ShouldBe("$1");
    }

    /// <summary>The server ends a connection that says these words: it would be everybody's.</summary>
    [Theory]
    [InlineData("POST / HTTP/1.1")]
    [InlineData("*1\r\n$5\r\nHost:\r")]
    [InlineData("GET / HTTP/1.1\r\nHost: x\r\n")]
    public void WordsThatEndAConnection_EndThatOfWhoSaysThem(string words)
    {
        using var front = new RedisFront();
        using Call other = Call.To(front.Port);
        other.Ask("SET k 1").ShouldBe("+OK");
        for (int i = 0; i < 5; i++)
        {
            using Call browser = Call.To(front.Port);
            string answer = browser.Ask(words)!;
            (answer.Contains("wrong number", StringComparison.Ordinal) ? browser.ReadLine() : answer).ShouldBe("-ERR Protocol error: http request");
            browser.EndsInOrder().ShouldBeTrue();
        }

        other.Ask("SET k 2").ShouldBe("+OK");
        front.Proxy.Stat("cluster.tested.upstream_cx_active").ShouldBe(front.Proxy.Stat("cluster.tested.upstream_cx_total"), "a shared connection ended");
    }

    /// <summary>What waits goes over a connection of its own, whatever its group is called.</summary>
    [Theory]
    [InlineData("streams", "c")]
    [InlineData("g", "STREAMS")]
    public void WaitingReader_WithTheNameOfAnOption_KeepsNobodyWaiting(string group, string consumer)
    {
        using var front = new RedisFront();
        Call[] others = [.. Enumerable.Range(0, 8).Select(_ => Call.To(front.Port))];
        others[0].Ask($"XGROUP CREATE s {group} $ MKSTREAM").ShouldBe("+OK");
        using Call waiting = Call.To(front.Port);
        waiting.Send($"XREADGROUP GROUP {group} {consumer} BLOCK 0 STREAMS s >\r\n");
        Wait.Until(() => Clients(front.RedisPort).Contains("blocked_clients:1", StringComparison.Ordinal), "not blocked");
        foreach (Call other in others)
        {
            other.Ask("SET k 1").ShouldBe("+OK");
            other.Dispose();
        }
    }

    [Fact]
    public void WatchedKey_ChangedByAnother_FailsTheTransaction()
    {
        using var front = new RedisFront();
        using Call one = Call.To(front.Port);
        using Call other = Call.To(front.Port);
        one.Ask("WATCH k").ShouldBe("+OK");
        other.Ask("SET k 1").ShouldBe("+OK");
        one.Ask("MULTI").ShouldBe("+OK");
        one.Ask("SET k 2").ShouldBe("+QUEUED");
        one.Ask("EXEC").ShouldBe("*-1");
        other.Ask("GET k").ShouldBe("$1");
        other.ReadLine().ShouldBe("1");
    }

    [Fact]
    public void Transaction_OfClientThatLeaves_ReachesNobodyElse()
    {
        using var front = new RedisFront();
        for (int i = 0; i < 20; i++)
        {
            using Call leaving = Call.To(front.Port);
            leaving.Ask("MULTI").ShouldBe("+OK");
            leaving.Ask("SET k left").ShouldBe("+QUEUED");
        }

        using Call next = Call.To(front.Port);
        next.Ask("MULTI").ShouldBe("+OK");
        next.Ask("GET k").ShouldBe("+QUEUED");
        next.Ask("EXEC").ShouldBe("*1");
        next.ReadLine().ShouldBe("$-1");
    }

    [Fact]
    public void BlockedClient_HoldsNobodyBack()
    {
        using var front = new RedisFront();
        using Call blocked = Call.To(front.Port);
        blocked.Send("BLPOP queue 0\r\n");
        using Call other = Call.To(front.Port);
        Wait.Until(() => other.Ask("PING") == "+PONG" && Run.Must("redis-cli", "-p", $"{front.RedisPort}", "INFO", "clients").Contains("blocked_clients:1", StringComparison.Ordinal), "not blocked");
        other.Ask("RPUSH queue x").ShouldBe(":1");
        blocked.ReadLine().ShouldBe("*2");
        front.Witness();
    }
    /// <summary>Each has a connection of its own from there on, or a clear error; nobody else meets its state.</summary>
    [Theory]
    [InlineData("MULTI", "+OK")]
    [InlineData("WATCH k", "+OK")]
    [InlineData("SUBSCRIBE c", "*3")]
    [InlineData("PSUBSCRIBE c*", "*3")]
    [InlineData("BLPOP nothing 0.01", "*-1")]
    [InlineData("CLIENT SETNAME me", "+OK")]
    [InlineData("CLIENT NO-EVICT ON", "+OK")]
    [InlineData("HELLO 3", "%7")]
    [InlineData("MONITOR", "+OK")]
    [InlineData("AUTH nobody wrong", "-WRONGPASS invalid username-password pair or user is disabled.")]
    [InlineData("AUTH wrong", "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")]
    public void Command_WithState_ThroughAClusterAndWithAMirror_IsItsClientsOwn(string command, string answer)
    {
        foreach (int port in (int[])[world.Ring, world.Mirrored])
        {
            using Call stateful = Call.To(port);
            stateful.Ask(command).ShouldBe(answer);
            for (int i = 0; i < 8; i++)
            {
                // On both loops, and in version 2: a null of version 3, a QUEUED or a message would be somebody else's.
                using Call other = Call.To(port);
                other.Ask($"SET other:{i} x").ShouldBe("+OK");
                other.Ask($"GET absent:{i}").ShouldBe("$-1");
            }
        }
    }

    [Fact]
    public void Transaction_ThroughACluster_IsCarriedOutOnTheServerOfItsKeys()
    {
        using Call one = Call.To(world.Ring);
        using Call other = Call.To(world.Ring);
        for (int i = 0; i < 12; i++)
        {
            one.Ask("MULTI").ShouldBe("+OK");
            one.Ask($"INCR ring:{i}").ShouldBe("+QUEUED");
            other.Ask($"INCR ring:{i}").ShouldBe(":1");
            one.Ask("EXEC").ShouldBe("*1");
            one.ReadLine().ShouldBe(":2");
            other.Ask($"DEL ring:{i}").ShouldBe(":1");
        }
    }

    /// <summary>Keys of two servers in one transaction cannot be had: the second is refused, and EXEC does nothing.</summary>
    [Fact]
    public void Transaction_OverSeveralServers_IsAClearError()
    {
        using Call client = Call.To(world.Ring);
        client.Ask("MULTI").ShouldBe("+OK");
        string?[] answers = [.. Enumerable.Range(0, 20).Select(i => client.Ask($"SET apart:{i} x"))];
        answers[0].ShouldBe("+QUEUED");
        answers.Where(static answer => answer != "+QUEUED").ShouldNotBeEmpty();
        answers.ShouldAllBe(static answer => answer == "+QUEUED" || answer!.StartsWith("-CROSSSLOT"));
        client.Ask("EXEC").ShouldBe("-EXECABORT Transaction discarded because of previous errors.");
        client.Ask("EXISTS apart:0").ShouldBe(":0");
    }

    /// <summary>The mirror gets no half of a state: no transaction, no subscriber, nobody who waits.</summary>
    [Fact]
    public void StateOfAClient_IsNotMirrored()
    {
        using (Call client = Call.To(world.Mirrored))
        {
            client.Ask("MULTI").ShouldBe("+OK");
            client.Ask("SET mirrored:1 x").ShouldBe("+QUEUED");
            client.Ask("EXEC").ShouldBe("*1");
            client.ReadLine().ShouldBe("+OK");
        }

        using Call subscriber = Call.To(world.Mirrored);
        subscriber.Ask("SUBSCRIBE mirrored").ShouldBe("*3");
        using Call blocked = Call.To(world.Mirrored);
        blocked.Send("BLPOP mirrored:queue 0\r\n");
        Wait.Until(() => Clients(world.Main.Port).Contains("blocked_clients:1", StringComparison.Ordinal), "not blocked");

        using Call after = Call.To(world.Mirrored);
        after.Ask("SET mirrored:2 y").ShouldBe("+OK");
        Wait.Until(() => Run.Must("redis-cli", "-p", $"{world.Orders.Port}", "GET", "mirrored:2").Trim() == "y", "the mirror did not get the write behind them");
        Run.Must("redis-cli", "-p", $"{world.Orders.Port}", "EXISTS", "mirrored:1").Trim().ShouldBe("0");
        Clients(world.Orders.Port).ShouldContain("blocked_clients:0");
        Run.Must("redis-cli", "-p", $"{world.Orders.Port}", "PUBSUB", "NUMSUB", "mirrored").Split('\n')[1].Trim().ShouldBe("0");
    }

    /// <summary>Whoever leaves in the middle of a state takes it along: what waits for it at the server is given up, and nothing is left half done.</summary>
    [Fact]
    public void BlockedClientThatLeaves_ThroughAClusterAndWithAMirror_LosesNoElement()
    {
        foreach (int port in (int[])[world.Ring, world.Mirrored])
        {
            // Who waited in another test may still be on the way out.
            Wait.Until(() => Blocked() == 0, "somebody else is blocked");
            using (Call leaving = Call.To(port))
            {
                leaving.Send("BLPOP left:queue 0\r\n");
                Wait.Until(() => Blocked() == 1, "not blocked");
            }

            Wait.Until(() => Blocked() == 0, "its server still waits for it");
            using Call next = Call.To(port);
            next.Ask("RPUSH left:queue x").ShouldBe(":1");
            next.Ask("DEL left:queue").ShouldBe(":1");
        }
    }

    private static string Clients(int port) => Run.Must("redis-cli", "-p", $"{port}", "INFO", "clients");

    private int Blocked() => world.Servers.Count(static peer => Clients(peer.Port).Contains("blocked_clients:1", StringComparison.Ordinal));
}

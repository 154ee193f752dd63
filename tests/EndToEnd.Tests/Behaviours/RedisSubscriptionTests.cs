using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Subscribers: who hears whom where there are several servers, and what a subscriber still gets that leaves.</summary>
public sealed class RedisSubscriptionTests : IDisposable
{
    private const int Waiting = 1000;

    /// <summary>A route with a prefix: keys are looked at.</summary>
    private const string Elsewhere = "{name: elsewhere, match: {key_prefix: 'z:'}, forward: {cluster: ring}}, ";

    private readonly Peer[] _servers = [Peer.Redis(), Peer.Redis(), Peer.Redis()];

    [Theory]
    [InlineData("SUBSCRIBE c")]
    [InlineData("PSUBSCRIBE c*")]
    [InlineData("MONITOR")]
    public void Quit_WhileMuchWaits_IsFollowedByAllOfItAndAnEndInOrder(string command)
    {
        using Sidecar proxy = Start("one", out int port);
        string direct = QuitBehind(command, _servers[0].Port);
        string proxied = QuitBehind(command, port);
        direct.ShouldEndWith("+OK\r\n");
        proxied.Length.ShouldBe(direct.Length);
        proxied.ShouldEndWith("+OK\r\n");
        proxy.Get("/stats/prometheus").ShouldNotContain("internal_error");
    }

    [Theory]
    [InlineData("SUBSCRIBE c\r\nQUIT\r\nPING\r\n")]
    [InlineData("SUBSCRIBE c\r\nUNSUBSCRIBE c\r\nQUIT\r\n")]
    [InlineData("HELLO 3\r\nSUBSCRIBE c\r\nQUIT\r\n")]
    [InlineData("MONITOR\r\nQUIT\r\n")]
    public void Quit_RightBehind_EndsInOrder(string bytes)
    {
        using Sidecar proxy = Start("one", out int port);
        using Call client = Call.To(port);
        client.Send(bytes);
        client.Rest().ShouldEndWith("+OK\r\n");
    }

    /// <summary>Before the server has confirmed a subscription its other answers are due too, and an error in their midst would be taken for one of them.</summary>
    [Theory]
    [InlineData("SET s 1\nWATCH s\nINCR n\nGET s\nSUBSCRIBE c\nSELECT 1\n", "+OK\r\n+OK\r\n:1\r\n$1\r\n1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")]
    [InlineData("HELLO 3\nSUBSCRIBE c\nINCR n\nSELECT 1\nGET n\n", ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n:1\r\n")]
    [InlineData("HELLO 3\nSUBSCRIBE c\nINCR n\nPSYNC\n", ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n:1\r\n")]
    [InlineData("HELLO 3\nSUBSCRIBE c\nUNSUBSCRIBE c\nSELECT 1\n", "$1\r\nc\r\n:1\r\n>3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n")]
    [InlineData("HELLO 3\nSUBSCRIBE c\nMONITOR\nPING\nSELECT 1\n", ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n+OK\r\n")]
    public void RefusedRightBehindASubscription_EndsBehindTheAnswersDue(string bytes, string answers)
    {
        using Sidecar proxy = Start("one", out int port);
        using Call client = Call.To(port);
        client.Send(bytes);
        string all = client.Rest();
        string last = all[(all.IndexOf(answers, StringComparison.Ordinal) + answers.Length)..];
        all.ShouldContain(answers);
        last.ShouldStartWith("-ERR MeshL4");
        last.IndexOf('\n').ShouldBe(last.Length - 1);
    }

    /// <summary>A connection that was kept before is kept on, and answers there are the proxy's to look at again once nothing is subscribed.</summary>
    [Theory]
    [InlineData(2, "WATCH k", "UNWATCH", "+OK")]
    [InlineData(3, "WATCH k", "UNWATCH", "+OK")]
    [InlineData(3, "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "+OK")]
    [InlineData(2, "CLIENT NO-EVICT ON", "CLIENT NO-EVICT OFF", "+OK")]
    public void KeptConnection_RelaysNoMoreOnceNothingIsSubscribed(int version, string before, string after, string answer)
    {
        using Sidecar proxy = Start("one", out int port);
        using Call client = Call.To(port);
        client.Send($"HELLO {version}\n{before}\nSUBSCRIBE c\nUNSUBSCRIBE c\nPING end\n");
        for (string? line = ""; line != "end"; line = client.ReadLine())
        {
            line.ShouldNotBeNull();
        }

        client.Ask("SELECT 1").ShouldBe("+OK");
        client.Ask("SET k 1").ShouldBe("+OK");
        client.Ask(after).ShouldBe(answer);
        client.Send("MULTI\nSELECT 2\nEXISTS k\nEXEC\nSELECT 1\nEXISTS k\n");
        string[] answers = ["+OK", "+QUEUED", "+QUEUED", "*2", "+OK", ":0", "+OK", ":1"];
        answers.Select(_ => client.ReadLine()).ShouldBe(answers);
    }

    /// <summary>What the server tells without being asked, right behind the end of a subscription too, reaches the client, and is nobody's answer.</summary>
    [Fact]
    public void KeptConnection_TellsOfEveryKeyThatChanges_WhetherItRelaysOrNot()
    {
        using Sidecar proxy = Start("one", out int port);
        using Call client = Call.To(port);
        HashSet<string> told = [];
        client.Send("HELLO 3\nCLIENT TRACKING ON BCAST NOLOOP\nPING begun\n");
        ReadTo("begun");
        using Call writer = Call.To(_servers[0].Port);
        for (int round = 0; round < 10; round++)
        {
            client.Send("SUBSCRIBE c\n");
            writer.Send(string.Concat(Enumerable.Range(0, 200).Select(i => $"SET key:{round}:{i} 1\n")));
            client.Send($"UNSUBSCRIBE c\nSET own {round}\n");
            for (int i = 0; i < 200; i++)
            {
                writer.ReadLine().ShouldBe("+OK");
            }

            client.Send($"PING end:{round}\n");
            ReadTo($"end:{round}");
            client.Send("SELECT 0\n");
        }

        client.Send("GET own\n");
        ReadTo("9");
        told.Count.ShouldBe(2000);

        void ReadTo(string end)
        {
            for (string? line = ""; line != end; line = client.ReadLine())
            {
                line.ShouldNotBeNull();
                if (line.StartsWith("key:", StringComparison.Ordinal))
                {
                    told.Add(line);
                }
            }
        }
    }

    [Theory]
    [InlineData("turns")]
    [InlineData("least")]
    [InlineData("chance")]
    [InlineData("ring")]
    [InlineData("weighted")]
    public void Publish_WithSeveralServers_ReachesEverySubscriber(string route)
    {
        using Sidecar proxy = Start(route, out int port);
        Call[] subscribers = [.. Enumerable.Range(0, 8).Select(_ => Call.To(port))];
        foreach (Call subscriber in subscribers)
        {
            subscriber.Ask("SUBSCRIBE c").ShouldBe("*3");
            subscriber.Take("$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n".Length);
        }

        Call[] publishers = [.. Enumerable.Range(0, 8).Select(_ => Call.To(port))];
        foreach (Call publisher in publishers)
        {
            publisher.Ask("PUBLISH c m").ShouldBe(":8");
        }

        foreach (Call call in subscribers.Concat(publishers))
        {
            call.Dispose();
        }
    }

    /// <summary>Also where the route is found by the channel, and where all clients of one channel meet, for channels of other names too.</summary>
    [Theory]
    [InlineData("turns")]
    [InlineData("least")]
    [InlineData("chance")]
    [InlineData("ring")]
    [InlineData("weighted")]
    [InlineData("turns", Elsewhere)]
    [InlineData("weighted", Elsewhere)]
    [InlineData("ring", Elsewhere)]
    public void ShardPublish_WithSeveralServers_ReachesEverySubscriber(string route, string before = "")
    {
        using Sidecar proxy = Start(route, out int port, before);
        Call[] subscribers = [.. Enumerable.Range(0, 8).Select(_ => Call.To(port))];
        foreach (Call subscriber in subscribers)
        {
            subscriber.Ask("SSUBSCRIBE c").ShouldBe("*3");
            subscriber.Take("$10\r\nssubscribe\r\n$1\r\nc\r\n:1\r\n".Length);
            if (!route.StartsWith("ring", StringComparison.Ordinal))
            {
                subscriber.Ask("SSUBSCRIBE other").ShouldBe("*3");
                subscriber.Take("$10\r\nssubscribe\r\n$5\r\nother\r\n:2\r\n".Length);
            }
        }

        Call[] publishers = [.. Enumerable.Range(0, 8).Select(_ => Call.To(port))];
        foreach (Call publisher in publishers)
        {
            publisher.Ask("SPUBLISH c m").ShouldBe(":8");
            publisher.Send(BadInput.RedisFront.Command("SPUBLISH", "c", "m"));
            publisher.ReadLine().ShouldBe(":8");
            if (!route.StartsWith("ring", StringComparison.Ordinal))
            {
                publisher.Ask("SPUBLISH other m").ShouldBe(":8");
                publisher.Ask("PUBSUB SHARDNUMSUB c").ShouldBe("*2");
                publisher.Take("$1\r\nc\r\n:8\r\n".Length).ShouldEndWith(":8\r\n");

                // Elsewhere are the same servers once more.
                string all = before.Length > 0 ? "*4" : "*2";
                publisher.Ask("PUBSUB SHARDCHANNELS").ShouldBe(all);
                publisher.Take((all == "*4" ? 2 : 1) * "$1\r\nc\r\n$5\r\nother\r\n".Length);
            }
        }

        foreach (Call call in subscribers.Concat(publishers))
        {
            call.Dispose();
        }
    }

    /// <summary>Data stays where the client has it: what the transaction publishes, the subscribers of that server get.</summary>
    [Theory]
    [InlineData("turns")]
    [InlineData("least")]
    [InlineData("weighted")]
    [InlineData("turns", Elsewhere)]
    [InlineData("weighted", Elsewhere)]
    public void Publish_FirstInATransaction_LeavesItAtTheClientsOwnServer(string route, string before = "")
    {
        using Sidecar proxy = Start(route, out int port, before);
        Call[] clients = [.. Enumerable.Range(0, 8).Select(_ => Call.To(port))];
        for (int i = 0; i < clients.Length; i++)
        {
            Call client = clients[i];
            client.Ask($"SET p{i} 1").ShouldBe("+OK");
            client.Ask("MULTI").ShouldBe("+OK");
            client.Ask("PUBLISH c m").ShouldBe("+QUEUED");
            client.Ask($"SET q{i} 1").ShouldBe("+QUEUED");
            client.Ask($"EXISTS p{i}").ShouldBe("+QUEUED");
            client.Ask("EXEC").ShouldBe("*3");
            new[] { client.ReadLine(), client.ReadLine(), client.ReadLine() }.ShouldBe([":0", "+OK", ":1"]);
            client.Ask($"EXISTS q{i}").ShouldBe(":1");
        }

        Array.ForEach(clients, static client => client.Dispose());
    }

    [Theory]
    [InlineData("turns")]
    [InlineData("weighted")]
    [InlineData("turns", Elsewhere)]
    [InlineData("weighted", Elsewhere)]
    public void Subscriber_OfVersionThree_ReadsAndWritesAtHome(string route, string before = "")
    {
        using Sidecar proxy = Start(route, out int port, before);
        Call[] clients = [.. Enumerable.Range(0, 8).Select(_ => Call.To(port))];
        for (int i = 0; i < clients.Length; i++)
        {
            Call client = clients[i];
            client.Ask($"SET before{i} 1").ShouldBe("+OK");
            client.Send("HELLO 3\r\n");
            while (client.ReadLine() != "modules")
            {
            }

            client.ReadLine().ShouldBe("*0");
            client.Ask("SUBSCRIBE c").ShouldBe(">3");
            client.Take("$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n".Length);
            client.Ask("INCR visitors").ShouldBe($":{i + 1}");
            client.Ask("MULTI").ShouldBe("+OK");
            client.Ask("INCR members").ShouldBe("+QUEUED");
            client.Ask("EXEC").ShouldBe("*1");
            client.ReadLine().ShouldBe($":{i + 1}");
        }

        Array.ForEach(clients, static client => client.Dispose());
    }

    [Fact]
    public void Publish_WhenItsServerIsGone_GoesToAnotherThatAllAgreeOn()
    {
        using Sidecar proxy = Start("checked", out int port);
        Peer home = _servers.MinBy(static peer => peer.Address, StringComparer.Ordinal)!;
        Call.Ask(port, "PUBLISH c m").ShouldBe(":0");
        Run.Must("redis-cli", "-p", $"{home.Port}", "SHUTDOWN", "NOSAVE");
        Wait.Until(() => Call.Ask(port, "PUBLISH c m") is not null && proxy.Get("/clusters").Contains($"{home.Address}::health_flags::/failed_active_hc", StringComparison.Ordinal), () => proxy.Get("/clusters"));
        Call[] subscribers = [.. Enumerable.Range(0, 6).Select(_ => Call.To(port))];
        Array.ForEach(subscribers, static subscriber => subscriber.Ask("SUBSCRIBE c").ShouldBe("*3"));
        using Call publisher = Call.To(port);
        Wait.Until(() => publisher.Ask("PUBLISH c m") == ":6", "not all hear");
        Array.ForEach(subscribers, static subscriber => subscriber.Dispose());
    }

    [Fact]
    public void Multi_BehindTheLastUnsubscribe_StaysWithItsClient()
    {
        using Sidecar proxy = Start("one", out int port, concurrency: 1);
        using Call client = Call.To(port);
        client.Send("SUBSCRIBE c\r\n");
        client.Take("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n".Length);
        client.Send("UNSUBSCRIBE c\r\nMULTI\r\n");
        client.Take("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n+OK\r\n".Length).ShouldEndWith("+OK\r\n");

        Call.Ask(port, "BLPOP nolist 0.1").ShouldBe("*-1");
        client.Ask("SET k 1").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*1");
        client.ReadLine().ShouldBe("+OK");
    }

    [Fact]
    public void Tracking_WhileSubscribed_TellsNobodyElse()
    {
        using Sidecar proxy = Start("one", out int port, concurrency: 1);
        using Call client = Call.To(port);
        client.Ask("HELLO 3").ShouldStartWith("%");
        client.Send("SUBSCRIBE c\r\nCLIENT TRACKING ON\r\nGET tk\r\nUNSUBSCRIBE c\r\n");
        SkipTo(client, "unsubscribe");
        client.Take("$1\r\nc\r\n:0\r\n".Length).ShouldEndWith(":0\r\n");
        using Call other = Call.To(port);
        other.Ask("HELLO 3").ShouldStartWith("%");
        other.Send("WATCH other\r\n");
        SkipTo(other, "+OK");
        Call.Ask(_servers[0].Port, "SET tk 1").ShouldBe("+OK");
        client.ReadLine().ShouldBe(">2");
        client.ReadLine().ShouldBe("$10");
        client.ReadLine().ShouldBe("invalidate");
        other.Ask("PING").ShouldBe("+PONG");
    }

    public void Dispose() => Array.ForEach(_servers, static server => server.Dispose());

    /// <summary>Subscribes, reads nothing while a thousand messages of a thousand bytes are sent, and says QUIT: all that comes then.</summary>
    private string QuitBehind(string command, int port)
    {
        using Call client = Call.To(port);
        client.Send(command + "\r\n");
        client.Stream.ReadByte();
        string message = $"PUBLISH c {new string('m', 1000)}\r\n";
        using (Call publisher = Call.To(_servers[0].Port))
        {
            publisher.Send(string.Concat(Enumerable.Repeat(message, Waiting)));
            for (int i = 0; i < Waiting; i++)
            {
                publisher.ReadLine();
            }
        }

        client.Send("QUIT\r\n");
        return client.Rest();
    }

    private static void SkipTo(Call call, string line)
    {
        while (call.ReadLine().ShouldNotBeNull() != line)
        {
        }
    }

    private Sidecar Start(string route, out int port, string before = "", int concurrency = 2)
    {
        port = Ports.Free();
        string[] all = [.. _servers.Select(static server => server.Address)];
        string forward = route == "weighted" ? "weighted_clusters: {clusters: [{name: turns, weight: 50}, {name: one, weight: 50}]}" : $"cluster: {route}";
        string checks = route == "checked" ? ", upstream: {health_check_interval: 2s}" : "";
        string filter = Boot.XRpc($"{before}{{name: all, forward: {{{forward}}}}}", checks);
        return Sidecar.Start(new Boot { BusyLoopPercent = 0 }
            .Listen("l", port, Boot.Chain(filter))
            .With(
                Boot.Cluster("one", [_servers[0].Address]),
                Boot.Cluster("turns", all, ", lb_policy: ROUND_ROBIN"),
                Boot.Cluster("least", all, ", lb_policy: LEAST_REQUEST"),
                Boot.Cluster("chance", all, ", lb_policy: RANDOM"),
                Boot.Cluster("checked", all, ", lb_policy: ROUND_ROBIN"),
                Boot.Cluster("ring", all, ", lb_policy: RING_HASH")), concurrency: concurrency);
    }
}

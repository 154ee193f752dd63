using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What the proxy keeps for later is bounded, whatever clients make up.</summary>
public sealed class RedisPoolTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly Peer _other = Peer.Redis();
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData("", 65)]
    [InlineData(", circuit_breakers: {thresholds: [{max_connections: 20}]}", 20)]
    public void IdentitiesThatAClientMakesUp_LeaveNobodyWithoutAConnection(string limits, int most)
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", new Boot().With(Boot.Cluster("main", [_redis.Address], limits)), out int port);
        using Call client = Call.To(port);
        for (int i = 0; i < 150; i++)
        {
            client.Ask($"AUTH default made-up-{i}").ShouldBe("+OK");
        }

        using Call other = Call.To(port);
        other.Ask("MULTI").ShouldBe("+OK");
        other.Ask("SET k 1").ShouldBe("+QUEUED");
        other.Ask("EXEC").ShouldBe("*1");
        proxy.Stat("cluster.main.upstream_cx_active").ShouldBeInRange(1, most);
    }

    [Fact]
    public void ConnectionsToAnAddressThatIsGone_Close()
    {
        string file = _folder.Write("cds.yaml", Boot.Resources("1", Boot.Cluster("main", [_redis.Address])));
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", new Boot().Files(clusters: file), out int port);
        using Call client = Call.To(port);
        client.Ask("SET k 1").ShouldBe("+OK");
        Clients(_redis).ShouldBe(2);

        _folder.Write("new.yaml", Boot.Resources("2", Boot.Cluster("main", [_other.Address])));
        File.Move(_folder.At("new.yaml"), file, overwrite: true);

        Wait.Until(() => Clients(_redis) == 1, "the connection to the address that is gone stays");
        client.Ask("GET k").ShouldBe("$-1");
        client.Ask("SET k 2").ShouldBe("+OK");
        Clients(_other).ShouldBe(2);
    }

    [Fact]
    public void AnswersThatAreHeldToBeMerged_StopTheirClient()
    {
        using Sidecar proxy = Start(
            "{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            new Boot().With(Boot.Cluster("main", [_redis.Address]), Boot.Cluster("other", [_other.Address])),
            out int port);
        using Call client = Call.To(port);
        string value = new('x', 300_000);
        client.Send(RedisFront.Command("SET", "a:1", value) + RedisFront.Command("SET", "b:1", "y"));
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe("+OK");
        string merged = RedisFront.Command("MGET", "a:1", "b:1");
        for (int i = 0; i < 3; i++)
        {
            client.Send(merged);
            ReadMerged();
        }

        _other.Signal("STOP");
        try
        {
            client.Send(string.Concat(Enumerable.Repeat(merged, 100)));
            Wait.Until(() => proxy.Stat("redis.x.command.mget.total") > 3, "nothing was asked");
            using (Call second = Call.To(port))
            {
                second.Ask("STRLEN a:1").ShouldBe(":300000");
            }

            proxy.Stat("redis.x.command.mget.total").ShouldBeLessThan(10);
        }
        finally
        {
            _other.Signal("CONT");
        }

        for (int i = 0; i < 100; i++)
        {
            ReadMerged();
        }

        void ReadMerged()
        {
            string[] expected = ["*2", "$300000", value, "$1", "y"];
            foreach (string line in expected)
            {
                client.ReadLine().ShouldBe(line);
            }
        }
    }

    /// <summary>With many connections for each identity, two identities have room beside each other.</summary>
    [Fact]
    public void ConnectionsOfTwoIdentities_DoNotTakeEachOthersPlaces()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}", new Boot().With(Boot.Cluster("main", [_redis.Address])), out int port, ", upstream: {connections_per_endpoint: 40}");
        Call[] clients = [.. Enumerable.Range(0, 80).Select(_ => Call.To(port))];
        try
        {
            for (int i = 0; i < clients.Length; i++)
            {
                clients[i].Ask(i < 40 ? "SELECT 0" : "SELECT 1").ShouldBe("+OK");
                clients[i].Ask("GET k").ShouldBe("$-1");
            }

            proxy.Stat("cluster.main.upstream_cx_active").ShouldBe(80);
        }
        finally
        {
            Array.ForEach(clients, static client => client.Dispose());
        }
    }

    /// <summary>At the bound of the cluster a split request that needs another connection takes the place of one that it does not use.</summary>
    [Fact]
    public void SplitAtTheBoundOfConnections_KeepsItsOwn()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}",
            new Boot().With(Boot.Cluster("main", [_redis.Address, _other.Address], ", lb_policy: RING_HASH, circuit_breakers: {thresholds: [{max_connections: 2}]}")),
            out int port);
        string[] keys = [.. Enumerable.Range(0, 50).Select(static i => $"k:{i}")];
        using (Call first = Call.To(port))
        {
            foreach (string key in keys)
            {
                first.Ask($"SET {key} {key}").ShouldBe("+OK");
            }
        }

        string here = keys.First(key => Has(_redis, key));
        string there = keys.First(key => Has(_other, key));
        using Call client = Call.To(port);
        using Call other = Call.To(port);
        other.Ask("SELECT 1").ShouldBe("+OK");

        // Of the two connections the one that the split begins with is the one that was idle for longer.
        other.Ask($"GET {here}").ShouldBe("$-1");
        client.Ask($"GET {here}").ShouldBe($"${here.Length}");
        client.ReadLine().ShouldBe(here);
        Thread.Sleep(50);
        other.Ask($"GET {here}").ShouldBe("$-1");
        proxy.Stat("cluster.main.upstream_cx_active").ShouldBe(2);
        Clients(_other).ShouldBe(1);

        client.Ask($"MGET {here} {there}").ShouldBe("*2");
        string?[] expected = [$"${here.Length}", here, $"${there.Length}", there];
        expected.ShouldBe([.. expected.Select(_ => client.ReadLine())]);

        static bool Has(Peer redis, string key) => Run.Must("redis-cli", "-p", $"{redis.Port}", "EXISTS", key).Trim() == "1";
    }

    /// <summary>A batch that was sent while all answers were short: what is held of the long ones stays within the client's own bound.</summary>
    [Fact]
    public void BatchSentBeforeAnyLongAnswer_HoldsNoMoreThanItsClientMay()
    {
        using Sidecar proxy = Start(
            "{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            new Boot().With(Boot.Cluster("main", [_redis.Address]), Boot.Cluster("other", [_other.Address])),
            out int port);
        using Call client = Call.To(port);
        string value = new('x', 300_000);
        client.Send(RedisFront.Command("SET", "a:1", value) + RedisFront.Command("SET", "b:1", "y"));
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe("+OK");
        string shortOne = RedisFront.Command("MGET", "a:2", "b:2");
        for (int i = 0; i < 40; i++)
        {
            client.Send(shortOne);
            ReadLines(["*2", "$-1", "$-1"]);
        }

        _other.Signal("STOP");
        try
        {
            client.Send(string.Concat(Enumerable.Repeat(RedisFront.Command("MGET", "a:1", "b:1"), 100)));
            Wait.Until(() => proxy.Stat("cluster.main.upstream_cx_rx_bytes_total") > 1_048_576, "no answer came");
            Thread.Sleep(1000);
            proxy.Stat("cluster.main.upstream_cx_rx_bytes_total").ShouldBeLessThan(3_000_000);
        }
        finally
        {
            _other.Signal("CONT");
        }

        for (int i = 0; i < 100; i++)
        {
            ReadLines(["*2", "$300000"]);
            client.Take(value.Length + 2).ShouldBe(value + "\r\n");
            ReadLines(["$1", "y"]);
        }

        void ReadLines(string[] expected)
        {
            foreach (string line in expected)
            {
                client.ReadLine().ShouldBe(line);
            }
        }
    }

    /// <summary>The same where the answers are in their turn and the client does not read.</summary>
    [Fact]
    public void MergedAnswersThatNobodyReads_StopTheirServers()
    {
        using Sidecar proxy = Start(
            "{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            new Boot().With(Boot.Cluster("main", [_redis.Address]), Boot.Cluster("other", [_other.Address])),
            out int port,
            ", limits: {slow_reader_timeout: 60s}");
        using Call client = Call.WithSmallBuffers(port);
        client.Send(RedisFront.Command("SET", "a:1", new string('x', 300_000)) + RedisFront.Command("SET", "b:1", "y"));
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe("+OK");
        for (int i = 0; i < 40; i++)
        {
            client.Send(RedisFront.Command("MGET", "a:2", "b:2"));
            client.ReadLine().ShouldBe("*2");
            client.ReadLine().ShouldBe("$-1");
            client.ReadLine().ShouldBe("$-1");
        }

        client.Send(string.Concat(Enumerable.Repeat(RedisFront.Command("MGET", "a:1", "b:1"), 100)));
        Wait.Until(() => proxy.Stat("cluster.main.upstream_cx_rx_bytes_total") > 1_048_576, "no answer came");
        Thread.Sleep(1000);
        proxy.Stat("cluster.main.upstream_cx_rx_bytes_total").ShouldBeLessThan(15_000_000);
    }

    public void Dispose()
    {
        _redis.Dispose();
        _other.Dispose();
        _folder.Dispose();
    }

    /// <summary>On both loops together; chance has all sixteen on one of them once in 32,768 runs.</summary>
    [Fact]
    public void PrivateConnections_AreCountedOverAllLoops()
    {
        var boot = new Boot { BusyLoopPercent = 0 };
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}", boot.With(Boot.Cluster("main", [_redis.Address])), out int port, ", upstream: {max_pinned_connections: 4}", loops: 2);
        Call[] clients = [.. Enumerable.Range(0, 16).Select(_ => Call.To(port))];
        for (int again = 0; again < 2; again++)
        {
            Array.ForEach(clients, static client => client.Ask("MULTI").ShouldBe("+OK"));
            string?[] answers = [.. clients.Select(static client => client.Ask("SET k 1"))];
            answers.Count(static answer => answer == "+QUEUED").ShouldBe(4);
            answers.Where(static answer => answer != "+QUEUED").ShouldAllBe(static answer => answer == "-ERR MeshL4: no connection to the upstream: max_pinned_connections is reached");
            Array.ForEach(clients, static client => client.Ask("DISCARD").ShouldBe("+OK"));
        }

        Array.ForEach(clients, static client => client.Dispose());
    }

    /// <summary>Private connections count there too.</summary>
    [Fact]
    public void SubscriberBeyondMaxConnections_IsToldOfThatLimit()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}",
            new Boot().With(Boot.Cluster("main", [_redis.Address], ", circuit_breakers: {thresholds: [{max_connections: 2}]}")),
            out int port);
        Call[] clients = [.. Enumerable.Range(0, 3).Select(_ => Call.To(port))];
        Array.ForEach(clients[..2], static client => client.Ask("SUBSCRIBE news").ShouldBe("*3"));

        clients[2].Ask("SUBSCRIBE news").ShouldBe("-ERR MeshL4: no connection to the upstream: max_connections of the cluster is reached");

        clients[2].Dispose();
        proxy.Logged("UO", "upstream_overflow");
        Array.ForEach(clients, static client => client.Dispose());
    }

    private static int Clients(Peer redis) =>
        Run.Must("redis-cli", "-p", $"{redis.Port}", "CLIENT", "LIST").Trim().Split('\n').Length;

    private static Sidecar Start(string routes, Boot boot, out int port, string more = "", int loops = 1)
    {
        port = Ports.Free();
        string filter = Boot.XRpc(routes, more);
        return Sidecar.Start(boot.Listen("l", port, Boot.Chain(filter)), concurrency: loops);
    }
}

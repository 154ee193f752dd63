using System.Text;
using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Many clients on few server connections: each gets its own answers, in its order, whatever becomes of the others.</summary>
public class SharedUpstreamTests
{
    [Fact]
    public void ThreeHundredClients_ShareOneConnectionALoopAndGetTheirOwnAnswers()
    {
        using var front = new RedisFront();
        List<Call> crowd = [.. Enumerable.Range(0, 300).Select(_ => Call.To(front.Port))];
        for (int i = 0; i < crowd.Count; i++)
        {
            crowd[i].Send(RedisFront.Command("SET", $"k{i}", $"v{i}") + RedisFront.Command("GET", $"k{i}"));
        }

        for (int i = 0; i < crowd.Count; i++)
        {
            crowd[i].ReadLine().ShouldBe("+OK");
            crowd[i].ReadLine().ShouldBe($"${$"v{i}".Length}");
            crowd[i].ReadLine().ShouldBe($"v{i}");
        }

        front.Proxy.Stat("cluster.tested.upstream_cx_active").ShouldBeLessThanOrEqualTo(2);
        crowd.ForEach(static client => client.Dispose());
    }

    /// <summary>The server has what it asked and is held: the answers come when nobody is there for them, and another waits behind.</summary>
    [Fact]
    public void ClientThatLeaves_ItsAnswersReachNobodyElse()
    {
        using RedisFront front = RedisFront.OneLoop();
        using Call stays = Call.To(front.Port);
        stays.Ask("MSET mine 0 other secret").ShouldBe("+OK");
        for (int i = 1; i <= 10; i++)
        {
            using Call leaves = Call.To(front.Port);
            front.Redis.Signal("STOP");
            leaves.Send(string.Concat(Enumerable.Repeat(RedisFront.Command("GET", "other"), 3)));
            Wait.Until(() => front.Proxy.Stat("redis.r.downstream_rq_active") == 3, "its requests are not in flight");
            leaves.Socket.LingerState = new LingerOption(true, 0);
            leaves.Dispose();
            front.Proxy.LoggedLines(i, "listener=tested");
            stays.Send(RedisFront.Command("INCR", "mine") + RedisFront.Command("GET", "mine"));
            Wait.Until(() => front.Proxy.Stat("redis.r.downstream_rq_active") == 2, "the other's are not in flight alone");
            front.Redis.Signal("CONT");
            (stays.ReadLine(), stays.ReadLine(), stays.ReadLine()).ShouldBe(($":{i}", $"${$"{i}".Length}", $"{i}"));
        }

        front.Proxy.Stat("cluster.tested.upstream_cx_total").ShouldBe(1, "they shared no connection");
    }

    [Fact]
    public void ServerThatDies_IsAnErrorAndTheClientStays()
    {
        var redis = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: c}"))).With(Boot.Cluster("c", [redis.Address])));
        using Call client = Call.To(port);
        client.Ask("SET k 1").ShouldBe("+OK");
        redis.Dispose();
        client.Ask("GET k").ShouldStartWith("-ERR MeshL4:");
        client.Ask("GET k").ShouldBe("-ERR MeshL4: no connection to the upstream");
    }

    [Fact]
    public void Pipeline_OverTwoServersOneOfThemSlow_IsAnsweredInItsOrder()
    {
        using var slow = Peer.Redis("--enable-debug-command", "yes");
        using var fast = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(Boot.Redis("routes: [{prefix: 's:', cluster: slow}], catch_all_route: {cluster: fast}")))
            .With(Boot.Cluster("slow", [slow.Address]), Boot.Cluster("fast", [fast.Address])));
        using Call client = Call.To(port);
        client.Send(RedisFront.Command("SET", "s:1", "slow") + RedisFront.Command("SET", "f:1", "fast"));
        (client.ReadLine(), client.ReadLine()).ShouldBe(("+OK", "+OK"));
        using Call sleeper = Call.To(slow.Port);
        sleeper.Send("DEBUG SLEEP 0.3\r\n");
        client.Send(string.Concat(Enumerable.Range(0, 50).Select(static i => RedisFront.Command("GET", i % 2 == 0 ? "s:1" : "f:1"))));
        for (int i = 0; i < 50; i++)
        {
            client.ReadLine().ShouldBe("$4");
            client.ReadLine().ShouldBe(i % 2 == 0 ? "slow" : "fast");
        }
    }

    [Fact]
    public void ForwardedRequests_AllocateNothing()
    {
        using var front = new RedisFront();
        string[] load = ["-p", $"{front.Port}", "-c", "20", "-P", "8", "-q", "GET", "k"];
        Run.Must("redis-benchmark", ["-n", "200000", .. load]);
        long least = long.MaxValue;
        for (int run = 0; run < 3; run++)
        {
            long before = front.Allocated();
            Run.Must("redis-benchmark", ["-n", "400000", .. load]);
            least = Math.Min(least, front.Allocated() - before);
        }

        // Connections, the page itself and buffers kept for later allocate; a request that did would show 400,000 times, in every run.
        least.ShouldBeLessThan(400_000 * 2);
    }

    /// <summary>On connections that are open already, less the page that tells: what is left is the requests' own.</summary>
    [Fact]
    public void RequestsOfAThousandClients_OnFiveThousandRoutes_AllocateNothing()
    {
        const int Crowd = 1000, Pipelined = 10, Rounds = 10;
        using var front = new RedisFront(null, Enumerable.Range(0, 5000).Select(static i => $"p{i}:"));
        List<Call> clients = [.. Enumerable.Range(0, Crowd).Select(_ => Call.To(front.Port))];
        string[] requests = [.. Enumerable.Range(0, Crowd).Select(i => string.Concat(Enumerable.Range(0, Pipelined).Select(j => RedisFront.Command("GET", $"p{((i * Pipelined) + j) % 5000}:k"))))];
        byte[] answers = new byte[5 * Pipelined];
        void Round()
        {
            for (int i = 0; i < Crowd; i++)
            {
                clients[i].Send(requests[i]);
            }

            foreach (Call client in clients)
            {
                client.Stream.ReadExactly(answers);
                Encoding.Latin1.GetString(answers).Replace("$-1\r\n", "", StringComparison.Ordinal).ShouldBe("");
            }
        }

        Round();
        Round();
        long least = long.MaxValue;
        for (int run = 0; run < 5; run++)
        {
            long first = front.Allocated();
            long before = front.Allocated();
            Enumerable.Range(0, Rounds).ToList().ForEach(_ => Round());
            least = Math.Min(least, front.Allocated() - before - (before - first));
        }

        clients.ForEach(static client => client.Dispose());
        least.ShouldBeLessThan(Crowd * Pipelined * Rounds);
    }

    [Fact]
    public void LongValue_PassesWholeBesideShortOnes_InFixedMemory()
    {
        const int Length = 70_000_000;
        using var front = new RedisFront();
        using Call client = Call.To(front.Port);
        using Call other = Call.To(front.Port);
        byte[] value = new byte[Length];
        new Random(5).NextBytes(value);
        client.Send($"*3\r\n$3\r\nSET\r\n$4\r\nlong\r\n${Length}\r\n");
        client.Stream.Write(value);
        client.Send("\r\n" + RedisFront.Command("STRLEN", "long"));
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe($":{Length}");
        long before = PeakResident(front.Proxy.Id);
        client.Send(RedisFront.Command("GET", "long") + RedisFront.Command("STRLEN", "long"));
        client.ReadLine().ShouldBe($"${Length}");
        byte[] got = new byte[Length];
        client.Stream.ReadExactly(got);
        got.AsSpan().SequenceEqual(value).ShouldBeTrue();
        client.ReadLine().ShouldBe("");
        client.ReadLine().ShouldBe($":{Length}");
        other.Ask("STRLEN long").ShouldBe($":{Length}");
        (PeakResident(front.Proxy.Id) - before).ShouldBeLessThan(24 * 1024);
        front.Proxy.Stat("meshl4.buffer_bytes_rented").ShouldBeLessThan(4 * 1024 * 1024);
    }

    /// <summary>Most memory a process had so far, in KiB.</summary>
    private static long PeakResident(int process) => long.Parse(
        File.ReadLines($"/proc/{process}/status").First(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        System.Globalization.CultureInfo.InvariantCulture);
}

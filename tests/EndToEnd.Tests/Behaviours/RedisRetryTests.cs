using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Requests whose server dies with them in flight: what may be repeated is, where its answer can be had.</summary>
public sealed class RedisRetryTests : IDisposable
{
    private readonly Peer _one = Peer.Redis();
    private readonly Peer _two = Peer.Redis();

    [Fact]
    public void Read_InFlightAtAServerThatIsKilled_IsAnsweredByAnother_AndAWriteIsNotRepeated()
    {
        using Sidecar proxy = Start("", out int port);
        foreach ((Peer peer, string name) in new[] { (_one, "one"), (_two, "two") })
        {
            using Call direct = Call.To(peer.Port);
            direct.Ask("SET name " + name).ShouldBe("+OK");
        }

        using Call client = Call.To(port);
        client.Ask("GET name").ShouldBe("$3");
        bool first = client.ReadLine() == "one";
        (Peer dying, string awake, Peer other) = first ? (_one, "two", _two) : (_two, "one", _one);
        dying.Signal("STOP");
        SendAndWait(proxy, client, RedisFront.Command("SET", "name", "lost") + RedisFront.Command("GET", "name"));
        dying.Signal("KILL");

        client.ReadLine()!.ShouldStartWith("-");
        client.ReadLine().ShouldBe("$3");
        client.ReadLine().ShouldBe(awake);
        proxy.Stat("redis.x.upstream_rq_retry").ShouldBe(1);
        using Call survivor = Call.To(other.Port);
        survivor.Ask("STRLEN name").ShouldBe(":3");
    }

    [Fact]
    public void Read_OfAKeyWhoseServerIsKilled_IsNotAskedWhereTheKeyIsNot()
    {
        using Sidecar proxy = Start(", lb_policy: RING_HASH", out int port);
        using Call client = Call.To(port);
        string keyOfOne = KeyOf(client, _one);
        _one.Signal("STOP");
        SendAndWait(proxy, client, RedisFront.Command("GET", keyOfOne));
        _one.Signal("KILL");
        client.ReadLine()!.ShouldStartWith("-ERR MeshL4");
        client.Ask("SET " + KeyOf(client, _two) + " again").ShouldBe("+OK");
    }

    /// <summary>It waits for what comes from the moment on that it is asked, on a connection of its own: others would wait behind another try.</summary>
    [Fact]
    public void ReadThatWaits_IsNotAskedAgain()
    {
        using Sidecar proxy = Start("", out int port, concurrency: 1);
        using Call other = Call.To(port);
        other.Ask("GET none").ShouldBe("$-1");
        using Call client = Call.To(port);
        client.Send("XREAD BLOCK 0 STREAMS stream $\r\n");
        using Call one = Call.To(_one.Port);
        using Call two = Call.To(_two.Port);
        Wait.Until(() => IsBlocked(_one) || IsBlocked(_two), "not blocked");
        (IsBlocked(_one) ? one : two).Ask("CLIENT KILL TYPE normal SKIPME yes")!.ShouldStartWith(":");

        client.ReadLine()!.ShouldStartWith("-ERR MeshL4");
        other.Ask("GET none").ShouldBe("$-1");
        proxy.Stat("redis.x.upstream_rq_retry").ShouldBe(0);
    }

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
    }

    /// <summary>A key that the ring gives to a server.</summary>
    private static string KeyOf(Call client, Peer server)
    {
        using Call direct = Call.To(server.Port);
        for (int i = 0; i < 200; i++)
        {
            client.Ask($"SET key{i} x");
            if (direct.Ask($"EXISTS key{i}") == ":1")
            {
                return $"key{i}";
            }
        }

        throw new ShouldAssertException("no key of 200 belongs to the server");
    }

    private static bool IsBlocked(Peer server) =>
        Run.Must("redis-cli", "-p", $"{server.Port}", "INFO", "clients").Contains("blocked_clients:1", StringComparison.Ordinal);

    private static void SendAndWait(Sidecar proxy, Call client, string requests)
    {
        long before = proxy.Stat("cluster.pair.upstream_cx_tx_bytes_total");
        client.Send(requests);
        Wait.Until(() => proxy.Stat("cluster.pair.upstream_cx_tx_bytes_total") - before >= requests.Length, "the requests are not sent");
    }

    private Sidecar Start(string more, out int port, int concurrency = 2)
    {
        port = Ports.Free();
        string filter = Boot.XRpc("{forward: {cluster: pair}}", ", policies: {retry: {num_retries: 2}}");
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With(Boot.Cluster("pair", [_one.Address, _two.Address], more)), concurrency: concurrency);
    }
}

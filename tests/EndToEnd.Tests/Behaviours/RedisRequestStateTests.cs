using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>
/// A request is asked in the state that its client was in when it came, and behind what that one asked before, whatever is asked for behind it
/// and however often it is tried.
/// </summary>
public sealed class RedisRequestStateTests : IDisposable
{
    // A server that is not stopped may take a while too: of it, too, a try may be over time.
    private const string Retry = "timeout: 60s, retry: {num_retries: 3, per_try_timeout: 2s}";
    private const string Hedge = "timeout: 60s, hedge: {delay: 2s}";

    private readonly Peer _one = Peer.Redis();
    private readonly Peer _two = Peer.Redis();

    public RedisRequestStateTests()
    {
        foreach ((Peer peer, string name) in new[] { (_one, "one"), (_two, "two") })
        {
            using Call direct = Call.To(peer.Port);
            direct.Ask("ACL SETUSER bob on >pw ~o +@all").ShouldBe("+OK");
            direct.Ask("SET o old").ShouldBe("+OK");
            foreach (string database in (string[])["5", "0"])
            {
                direct.Ask("SELECT " + database).ShouldBe("+OK");
                direct.Ask("SET name " + name).ShouldBe("+OK");
                direct.Ask("SET k in-" + database).ShouldBe("+OK");
            }
        }
    }

    [Theory]
    [InlineData(Retry, "0", "GET k", "$4", "SELECT 5", "+OK")]
    [InlineData(Retry, "0", "GET none", "$-1", "HELLO 3", "%7")]
    [InlineData(Retry, "0", "GET k", "$4", "AUTH bob pw", "+OK")]
    [InlineData(Retry, "5", "GET k", "$4", "RESET", "+RESET")]
    [InlineData(Hedge, "0", "GET k", "$4", "SELECT 5", "+OK")]
    [InlineData(Hedge, "0", "GET none", "$-1", "HELLO 3", "%7")]
    [InlineData(Hedge, "0", "GET k", "$4", "AUTH bob pw", "+OK")]
    [InlineData(Hedge, "5", "GET k", "$4", "RESET", "+RESET")]
    public void RequestThatIsAskedTwice_IsAskedInTheStateItCameIn(string policies, string database, string read, string answer, string change, string changed)
    {
        using Sidecar proxy = Start(policies, [_one.Address, _two.Address], out int port);
        using Call client = Call.To(port);
        client.Ask("SELECT " + database).ShouldBe("+OK");
        client.Ask("GET name").ShouldBe("$3");
        long before = AskedAgain(proxy);
        Peer frozen = client.ReadLine() == "one" ? _one : _two;
        frozen.Signal("STOP");
        client.Send(RedisFront.Command(read.Split(' ')) + RedisFront.Command(change.Split(' ')));

        client.ReadLine().ShouldBe(answer);
        if (answer == "$4")
        {
            client.ReadLine().ShouldBe("in-" + database);
        }

        frozen.Signal("CONT");
        client.ReadLine().ShouldBe(changed);
        (AskedAgain(proxy) - before).ShouldBeInRange(1, policies == Hedge ? 1 : 3);
    }

    [Fact]
    public void Reset_LetsNothingOvertakeWhatCameBefore()
    {
        using var relay = new TcpRelay(_one.Port);
        using Sidecar proxy = Start("timeout: 60s", [relay.Address], out int port);
        using Call client = Call.To(port);
        client.Ask("AUTH bob pw").ShouldBe("+OK");
        relay.Stall();
        client.Send(RedisFront.Command("SET", "o", "new") + RedisFront.Command("RESET") + RedisFront.Command("GET", "o"));
        SeesTheOld(port);
        relay.GoOn();
        foreach (string line in (string[])["+OK", "+RESET", "$3", "new"])
        {
            client.ReadLine().ShouldBe(line);
        }
    }

    [Fact]
    public void RequestThatIsAskedAgain_LetsNothingOvertakeWhatCameBefore()
    {
        using var relay = new TcpRelay(_one.Port);
        using Sidecar proxy = Start(Retry, [relay.Address], out int port);
        using Call client = Call.To(port);
        client.Ask("STRLEN o").ShouldBe(":3");
        relay.Stall();
        client.Send(RedisFront.Command("GET", "k") + RedisFront.Command("SET", "o", "new"));
        client.ReadLine().ShouldBe("$4");
        client.ReadLine().ShouldBe("in-0");
        client.Send(RedisFront.Command("GET", "o"));
        SeesTheOld(port);
        relay.GoOn();
        foreach (string line in (string[])["+OK", "$3", "new"])
        {
            client.ReadLine().ShouldBe(line);
        }

        // It goes on over the other connection, where nothing of its own is due.
        client.Ask("STRLEN o").ShouldBe(":3");
        proxy.Stat("redis.x.upstream_rq_retry").ShouldBeInRange(1, 3);
    }

    /// <summary>Given up behind a request that blocks it would happen all the same, unknown to the proxy: to this client, and to the next with that connection.</summary>
    [Fact]
    public void ChangeBehindARequestThatBlocks_IsNotGivenUp()
    {
        using Sidecar proxy = Start("timeout: 3s", [_one.Address], out int port);
        using Call client = Call.To(port);
        client.Ask("WATCH k").ShouldBe("+OK");
        client.Send(RedisFront.Command("BLPOP", "queue", "0") + RedisFront.Command("SELECT", "5") + RedisFront.Command("GET", "k"));
        using (Call clock = Call.To(port))
        {
            clock.Ask("BLPOP nothing 5").ShouldBe("*-1");
        }

        Call.Ask(_one.Port, "RPUSH queue x").ShouldBe(":1");
        foreach (string line in (string[])["*2", "$5", "queue", "$1", "x", "+OK", "$4", "in-5"])
        {
            client.ReadLine().ShouldBe(line);
        }

        client.Ask("UNWATCH").ShouldBe("+OK");
        client.Ask("SELECT 0").ShouldBe("+OK");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("GET k").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*1");
        client.ReadLine().ShouldBe("$4");
        client.ReadLine().ShouldBe("in-0");
    }

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
    }

    private static long AskedAgain(Sidecar proxy) => proxy.Stat("redis.x.upstream_rq_retry") + proxy.Stat("redis.x.upstream_rq_hedge");

    /// <summary>Another client is answered over a connection that does not stall: behind everything that the first has sent there by then.</summary>
    private static void SeesTheOld(int port)
    {
        using Call other = Call.To(port);
        other.Ask("GET o").ShouldBe("$3");
        other.ReadLine().ShouldBe("old");
    }

    private static Sidecar Start(string policies, string[] servers, out int port)
    {
        port = Ports.Free();
        string filter = Boot.XRpc("{forward: {cluster: main}}", $", policies: {{{policies}}}");
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With(Boot.Cluster("main", servers)), concurrency: 1);
    }
}

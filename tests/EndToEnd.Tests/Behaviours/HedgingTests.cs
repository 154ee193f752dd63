using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A second server is asked when the first is silent, by two real servers of which one is frozen with its connections open.</summary>
public sealed class HedgingTests : IDisposable
{
    private readonly Peer _one = Peer.Redis();
    private readonly Peer _two = Peer.Redis();

    public HedgingTests()
    {
        foreach ((Peer peer, string name) in new[] { (_one, "one"), (_two, "two") })
        {
            using Call direct = Call.To(peer.Port);
            direct.Ask("SET name " + name).ShouldBe("+OK");
            direct.Ask("SET other again-" + name).ShouldBe("+OK");
        }
    }

    [Theory]
    [InlineData("hedge: {delay: 0.5s}")]
    [InlineData("hedge: {on_per_try_timeout: true}, retry: {per_try_timeout: 0.5s}")]
    public void Read_FromAFrozenServer_IsAnsweredByTheOther_AndTheLateAnswerByNobody(string policies)
    {
        using Sidecar proxy = Start(policies, out int port);
        using Call client = Call.To(port);
        (Peer frozen, string awake) = FreezeServerOf(client);

        Get(client, "name").ShouldBe(awake);
        long hedged = proxy.Stat("redis.x.upstream_rq_hedge");
        hedged.ShouldBeGreaterThan(0);
        proxy.Stat("redis.x.upstream_rq_hedge_won").ShouldBeGreaterThan(0);
        proxy.Stat("redis.x.upstream_rq_retry").ShouldBe(0);

        // The write waits behind the read whose answer nobody wants; both come when the server goes on.
        client.Send(RedisFront.Command("SET", "name", "written"));
        frozen.Signal("CONT");
        client.ReadLine().ShouldBe("+OK");
        proxy.Stat("redis.x.upstream_rq_hedge").ShouldBe(hedged);

        // No read: the server that goes on may be slow, and the other has the name that it had.
        client.Ask("APPEND name !").ShouldBe(":8");
        proxy.Stat("meshl4.loop_faults").ShouldBe(0);
    }

    [Fact]
    public void PipelinedReads_AreAnsweredInTheirOrder()
    {
        using Sidecar proxy = Start("hedge: {delay: 0.5s}", out int port);
        using Call client = Call.To(port);
        (Peer frozen, string awake) = FreezeServerOf(client);
        client.Send(RedisFront.Command("GET", "name") + RedisFront.Command("GET", "other") + RedisFront.Command("STRLEN", "name"));
        foreach (string line in (string[])["$3", awake, "$9", "again-" + awake, ":3"])
        {
            client.ReadLine().ShouldBe(line);
        }

        frozen.Signal("CONT");
        client.Ask("PING").ShouldBe("+PONG");
        Get(client, "other").ShouldStartWith("again-");
    }

    [Fact]
    public void Writes_AndReadsBeyondTheBudget_WaitForTheirTimeout()
    {
        using Sidecar proxy = Start("hedge: {delay: 0.5s, budget_percent: {value: 0}}, timeout: 6s", out int port);
        using Call client = Call.To(port);
        (_, string awake) = FreezeServerOf(client);

        // Three are saved up from the beginning; which reads have them does not matter.
        client.Send(string.Concat(Enumerable.Repeat(RedisFront.Command("GET", "name"), 4)) + RedisFront.Command("SET", "k", "v"));
        string?[] reads = [.. Enumerable.Range(0, 4).Select(_ => client.ReadLine() is "$3" ? client.ReadLine() : "failed")];
        reads.Order().ShouldBe(["failed", awake, awake, awake]);
        client.ReadLine()!.ShouldStartWith("-");
        proxy.Stat("redis.x.upstream_rq_hedge").ShouldBe(3);
        proxy.Stat("redis.x.upstream_rq_hedge_overflow").ShouldBe(1);
    }

    [Fact]
    public void Read_ThatBothServersDoNotAnswer_FailsOnce()
    {
        using Sidecar proxy = Start("hedge: {delay: 0.5s}, timeout: 6s", out int port);
        using Call client = Call.To(port);
        ServerOf(client);
        _one.Signal("STOP");
        _two.Signal("STOP");
        client.Ask("GET name")!.ShouldStartWith("-");
        proxy.Stat("redis.x.upstream_rq_hedge").ShouldBe(1);
        _one.Signal("CONT");
        _two.Signal("CONT");
        Get(client, "other").ShouldStartWith("again-");
    }

    [Fact]
    public void Read_WhoseFirstServerDies_IsAnsweredByTheSecond()
    {
        using Sidecar proxy = Start("hedge: {delay: 0.5s}", out int port);
        using Call client = Call.To(port);
        (Peer frozen, string awake) = FreezeServerOf(client);
        Peer other = frozen == _one ? _two : _one;
        other.Signal("STOP");
        client.Send(RedisFront.Command("GET", "name"));
        Wait.Until(() => proxy.Stat("redis.x.upstream_rq_hedge") == 1, "no copy was sent");
        frozen.Signal("KILL");
        other.Signal("CONT");
        client.ReadLine().ShouldBe("$3");
        client.ReadLine().ShouldBe(awake);
    }

    public void Dispose()
    {
        _one.Dispose();
        _two.Dispose();
    }

    private static string Get(Call client, string key)
    {
        client.Ask("GET " + key)!.ShouldStartWith("$");
        return client.ReadLine()!;
    }

    /// <summary>The name of the server that answers this client, by a command that counts as a write: a read may have a copy where the machine is slow.</summary>
    private static string ServerOf(Call client)
    {
        client.Ask("GETEX name").ShouldBe("$3");
        return client.ReadLine()!;
    }

    /// <summary>Freezes the server that answers this client; the other's name.</summary>
    private (Peer Frozen, string Awake) FreezeServerOf(Call client)
    {
        bool first = ServerOf(client) == "one";
        (first ? _one : _two).Signal("STOP");
        return first ? (_one, "two") : (_two, "one");
    }

    private Sidecar Start(string policies, out int port)
    {
        port = Ports.Free();
        string filter = Boot.XRpc("{forward: {cluster: pair}}", $", policies: {{{policies}}}");
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With(Boot.Cluster("pair", [_one.Address, _two.Address])));
    }
}

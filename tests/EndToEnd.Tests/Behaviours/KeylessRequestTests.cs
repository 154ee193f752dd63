using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A request without a key reaches what its server has: the rules and conditions of every route that leads there count.</summary>
public sealed class KeylessRequestTests : IDisposable
{
    private const string NoFlush = "policies: {authorization: {deny: [{name: flush, methods: [FLUSHALL, EVAL]}]}}";

    private readonly Peer _main = Peer.Redis();
    private readonly Peer _other = Peer.Redis();

    /// <summary>The route of what has no key allows all; the client's own connection is for the keys of another, which does not.</summary>
    [Theory]
    [InlineData(2, "WATCH b:1|FLUSHALL")]
    [InlineData(2, "WATCH b:1|'flushall'")]
    [InlineData(2, "MULTI|SET b:1 x|EVAL return(1) 0")]
    [InlineData(2, "CLIENT REPLY OFF|WATCH b:1|CLIENT REPLY ON|FLUSHALL")]
    [InlineData(3, "SSUBSCRIBE b:1|FLUSHALL")]
    public void RulesOfTheRouteThatAConnectionIsFor_HoldOnIt(int version, string commands)
    {
        using Sidecar proxy = Start("{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}, " + NoFlush + "}, {name: all, forward: {cluster: main}}", out int port);
        using Call direct = Call.To(_other.Port);
        direct.Ask("SET kept 1").ShouldBe("+OK");
        using Call client = Call.To(port);
        client.Hello(version);
        foreach (string command in commands.Split('|'))
        {
            client.Send(command + "\r\n");
        }

        string? line = "";
        while ((line = client.ReadLine()) is not null && !line.StartsWith("-NOPERM", StringComparison.Ordinal))
        {
            line.ShouldNotStartWith("-");
        }

        line.ShouldNotBeNull();
        direct.Ask("EXISTS kept").ShouldBe(":1");
    }

    /// <summary>A connection for the keys of one route reaches those of every other that leads to its server.</summary>
    [Theory]
    [InlineData(2, "WATCH b:1", "FLUSHALL")]
    [InlineData(2, "WATCH b:1", "DBSIZE")]
    [InlineData(2, "WATCH b:1", "KEYS *")]
    [InlineData(2, "WATCH b:1", "SCAN 0")]
    [InlineData(2, "WATCH b:1", "RANDOMKEY")]
    [InlineData(2, "WATCH b:1", "MONITOR")]
    [InlineData(2, "WATCH none:1", "FLUSHALL")]
    [InlineData(2, "CLIENT TRACKING ON", "FLUSHALL")]
    [InlineData(2, "MULTI", "FLUSHALL")]
    [InlineData(2, "PING", "MONITOR")]
    [InlineData(2, "PING", "FLUSHALL")]
    [InlineData(3, "SUBSCRIBE ch", "FLUSHALL")]
    public void RulesOfEveryRouteToItsServer_HoldOnAConnectionForOthers(int version, string first, string denied)
    {
        const string NoneForAll = "policies: {authorization: {deny: [{name: all, methods: [FLUSHALL, DBSIZE, KEYS, SCAN, RANDOMKEY, MONITOR]}]}}";
        using Sidecar proxy = Start(
            "{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}, " + NoneForAll + "}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: main}}, "
            + "{name: all, forward: {cluster: main}}", out int port);
        using Call direct = Call.To(_main.Port);
        direct.Ask("SET a:1 x").ShouldBe("+OK");
        using Call client = Call.To(port);
        client.Hello(version);
        client.Send(first + "\r\n");
        client.ReadLine().ShouldNotBeNull().ShouldNotStartWith("-");
        client.Send(denied + "\r\n");
        string? line = "";
        while (line is not null && !line.StartsWith('-'))
        {
            line = client.ReadLine();
        }

        line.ShouldBe("-NOPERM MeshL4: this command is not allowed");
        direct.Ask("EXISTS a:1").ShouldBe(":1");
    }

    /// <summary>What the rules of both routes allow goes through.</summary>
    [Fact]
    public void AllowedOnAConnectionOfItsOwn_Passes()
    {
        using Sidecar proxy = Start("{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}, " + NoFlush + "}, {name: all, forward: {cluster: main}}", out int port);
        using Call client = Call.To(port);
        client.Ask("WATCH b:1").ShouldBe("+OK");
        client.Ask("DBSIZE").ShouldBe(":0");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET b:1 x").ShouldBe("+QUEUED");
        client.Ask("LASTSAVE").ShouldBe("+QUEUED");
        client.Ask("EXEC").ShouldBe("*2");
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldStartWith(":");
        client.Ask("WATCH b:1").ShouldBe("+OK");
        client.Ask("FLUSHALL").ShouldBe("-NOPERM MeshL4: this command is not allowed");
    }

    /// <summary>Whichever of the routes to one server comes first.</summary>
    [Theory]
    [InlineData("{name: all, forward: {cluster: main}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: main}, " + NoFlush + "}")]
    [InlineData("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: main}, " + NoFlush + "}")]
    [InlineData("{name: b, match: {key_prefix: 'b:'}, forward: {cluster: main}, " + NoFlush + "}, {name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}")]
    [InlineData("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: both}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: both}, " + NoFlush + "}")]
    public void RulesOfEveryRouteToAServer_HoldForAllOfItsKeys(string routes)
    {
        using Sidecar proxy = Start(routes, out int port);
        using Call client = Call.To(port);
        client.Ask("SET b:1 x").ShouldBe("+OK");
        client.Ask("FLUSHALL").ShouldBe("-NOPERM MeshL4: this command is not allowed");
        client.Ask("EXISTS b:1").ShouldBe(":1");
        client.Ask("DBSIZE").ShouldBe(":1");
        proxy.Stat("redis.x.downstream_rq_denied").ShouldBe(1);
    }

    /// <summary>A cursor asks one server at a time, and its routes alone.</summary>
    [Fact]
    public void RulesOfOneServer_DoNotHoldForTheOther()
    {
        const string NoScan = "policies: {authorization: {deny: [{name: scan, methods: [SCAN]}]}}";
        using Sidecar proxy = Start(
            "{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}, " + NoScan + "}", out int port);
        using Call client = Call.To(port);
        client.Ask("SCAN 0").ShouldBe("*2");
        client.ReadLine();
        string next = client.ReadLine()!;
        client.ReadLine().ShouldBe("*0");
        client.Ask("SCAN " + next).ShouldBe("-NOPERM MeshL4: this command is not allowed");
    }

    /// <summary>A route for other commands has no part of those that concern all keys.</summary>
    [Fact]
    public void RoutesForOtherCommands_AreLeftOut()
    {
        using Sidecar proxy = Start("{name: reads, match: {methods: [GET, STRLEN]}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}", out int port);
        using Call direct = Call.To(_other.Port);
        direct.Ask("SET k kept").ShouldBe("+OK");
        using Call client = Call.To(port);
        client.Ask("SET k v").ShouldBe("+OK");
        client.Ask("STRLEN k").ShouldBe(":4");
        client.Ask("DBSIZE").ShouldBe(":1");
        client.Ask("FLUSHALL").ShouldBe("+OK");
        client.Ask("DBSIZE").ShouldBe(":0");
        client.Ask("STRLEN k").ShouldBe(":4");
    }

    public void Dispose()
    {
        _main.Dispose();
        _other.Dispose();
    }

    private Sidecar Start(string routes, out int port)
    {
        port = Ports.Free();
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Boot.XRpc(routes))).With([
            Boot.Cluster("main", [_main.Address]), Boot.Cluster("other", [_other.Address]),
            Boot.Cluster("both", [_main.Address, _other.Address], ", lb_policy: RING_HASH")]));
    }
}

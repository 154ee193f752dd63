using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>
/// Entry 4, of the codec: what a command leaves behind in a connection, it leaves in one of its client's own, or chooses another to share
/// by its profile. The same through the real proxy: tests/EndToEnd.Tests.
/// </summary>
public sealed class Entry04_StateOnSharedConnections : IDisposable
{
    private readonly RedisPeer _peer = new();
    private readonly ConversationRun _run;

    public Entry04_StateOnSharedConnections() => _run = new ConversationRun([_peer]);

    public void Dispose()
    {
        _run.Dispose();
        _peer.Dispose();
    }

    [Theory]
    [InlineData("WATCH k")]
    [InlineData("SUBSCRIBE c")]
    [InlineData("PSUBSCRIBE c*")]
    [InlineData("SSUBSCRIBE c")]
    [InlineData("MONITOR")]
    [InlineData("CLIENT NO-EVICT on")]
    public void StateOfAConnection_PinsOneOfTheClientsOwn(string line)
    {
        Share();
        _run.Line(line);
        _run.Last.Act.ShouldBe(Act.Forward);
        _run.Last.Flags.HasFlag(ForwardFlags.Pin).ShouldBeTrue();
        (_run.IsPinned, _run.PrivateConnections, _run.Profile).ShouldBe((true, 1, ConnectionProfile.None));
    }

    /// <summary>Nothing stays behind, but who comes next would wait.</summary>
    [Theory]
    [InlineData("BLPOP nothing 0.01")]
    [InlineData("BZPOPMIN nothing 0.01")]
    [InlineData("XREAD BLOCK 1 STREAMS nothing $")]
    [InlineData("WAIT 0 1")]
    public void WhatWaits_HasAConnectionOfItsOwnUntilItIsAnswered(string line)
    {
        Share();
        _run.Line(line);
        _run.Last.Flags.HasFlag(ForwardFlags.PinOnce).ShouldBeTrue();
        (_run.IsPinned, _run.PrivateConnections, _run.Profile).ShouldBe((false, 1, ConnectionProfile.None));
    }

    [Theory]
    [InlineData("SELECT 1")]
    [InlineData("HELLO 3")]
    [InlineData("AUTH reader secret")]
    public void StateThatOthersMayHaveToo_IsAProfileAndPinsNothing(string line)
    {
        Share();
        _run.Line(line);
        _run.Profile.ShouldNotBe(ConnectionProfile.None);
        _run.Profile.Replies.ShouldBeGreaterThan(0);
        (_run.IsPinned, _run.PrivateConnections).ShouldBe((false, 0));
    }

    [Theory]
    [InlineData("GET k")]
    [InlineData("MGET k l")]
    [InlineData("EVAL \"return 1\" 0")]
    [InlineData("PUBLISH c m")]
    [InlineData("SELECT 0")]
    [InlineData("SELECT 99")]
    [InlineData("HELLO 9")]
    [InlineData("AUTH reader wrong")]
    [InlineData("CLIENT SETNAME me")]
    [InlineData("CLIENT REPLY SKIP")]
    [InlineData("EXEC")]
    [InlineData("UNSUBSCRIBE c")]
    [InlineData("REPLICAOF no one")]
    [InlineData("PSYNC ? -1")]
    public void WhatLeavesNoState_SharesAsBefore(string line)
    {
        Share();
        _run.Line(line);
        (_run.IsPinned, _run.PrivateConnections, _run.Profile).ShouldBe((false, 0, ConnectionProfile.None));
    }

    [Theory]
    [InlineData("EXEC")]
    [InlineData("DISCARD")]
    [InlineData("RESET")]
    public void Transaction_PinsFromItsFirstCommandToItsEnd(string end)
    {
        Share();
        _run.Line("MULTI").ShouldBe("+OK\r\n");
        _run.IsPinned.ShouldBeFalse();
        _run.Line("GET k").ShouldBe("+QUEUED\r\n");
        (_run.IsPinned, _run.PrivateConnections).ShouldBe((true, 1));
        _run.Line(end);
        (_run.IsPinned, _run.Profile).ShouldBe((false, ConnectionProfile.None));
    }

    [Theory]
    [InlineData("WATCH k", "UNWATCH")]
    [InlineData("WATCH k", "RESET")]
    public void StateThatEnds_GivesTheConnectionBack(string begins, string ends)
    {
        Share();
        _run.Line(begins);
        _run.IsPinned.ShouldBeTrue();
        _run.Line(ends);
        (_run.IsPinned, _run.Profile).ShouldBe((false, ConnectionProfile.None));
    }

    /// <summary>Both: connections of version 3, and of them one of the client's own.</summary>
    [Fact]
    public void Tracking_InVersionThree_PinsAConnectionOfThatProfile()
    {
        Share();
        _run.Line("HELLO 3").ShouldStartWith("%7");
        ConnectionProfile three = _run.Profile;
        _run.Line("CLIENT TRACKING on").ShouldBe("+OK\r\n");
        (_run.IsPinned, _run.PrivateConnections, _run.Profile).ShouldBe((true, 1, three));
    }

    private void Share()
    {
        _peer.Ask("ACL", "SETUSER", "reader", "on", ">secret", "+@all", "~*", "&*");
        _run.Ask("SET", "k", "1").ShouldBe("+OK\r\n");
        (_run.IsPinned, _run.PrivateConnections, _run.Profile).ShouldBe((false, 0, ConnectionProfile.None));
    }
}

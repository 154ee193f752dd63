using System.Text;
using MeshL4.TestKit;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>What a client said before: its login, its subscriptions, whether it wants answers.</summary>
public sealed class RedisConversationStateTests : IDisposable
{
    private readonly RedisPeer _peer = new();

    public void Dispose() => _peer.Dispose();

    [Fact]
    public void Subscribe_InVersionTwo_RelaysUntilTheLastChannelIsLeft()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("SUBSCRIBE", "a", "b").ShouldBeEmpty();
        run.Relayed(2).ShouldBe("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
        run.Ask("PSUBSCRIBE", "p*");
        run.Relayed(1).ShouldEndWith(":3\r\n");
        _peer.Ask("PUBLISH", "a", "hello");
        run.Relayed(1).ShouldBe("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$5\r\nhello\r\n");
        run.Ask("PING");
        run.Relayed(1).ShouldBe("*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        run.Ask("GET", "x");
        run.Relayed(1).ShouldStartWith("-ERR Can't execute 'get'");
        run.Ask("UNSUBSCRIBE");
        run.Ask("PUNSUBSCRIBE");
        run.Relayed(2).ShouldEndWith(":1\r\n");
        run.IsRelaying.ShouldBeTrue();
        run.Relayed(1).ShouldBe("*3\r\n$12\r\npunsubscribe\r\n$2\r\np*\r\n:0\r\n");
        run.IsRelaying.ShouldBeFalse();
        run.IsPinned.ShouldBeFalse();
        run.Ask("GET", "x").ShouldBe("$-1\r\n");
    }

    [Theory]
    [InlineData("SELECT 1", "select")]
    [InlineData("HELLO 3", "hello")]
    [InlineData("AUTH x", "auth")]
    [InlineData("CLIENT REPLY OFF", "client|reply")]
    [InlineData("SET a b", "set")]
    public void Subscribed_InVersionTwo_TheServerRefusesWhatItAlwaysRefuses(string line, string name)
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("SUBSCRIBE", "a");
        run.Relayed(1);
        run.Line(line).ShouldBeEmpty();
        run.Relayed(1).ShouldBe($"-ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n");
        run.Ask("UNSUBSCRIBE");
        run.Relayed(1).ShouldEndWith(":0\r\n");
        run.IsRelaying.ShouldBeFalse();
        run.IsClosed.ShouldBeFalse();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Subscribed_InVersionTwo_KeysThatNoRouteTakesAreTheServersToRefuse(bool isLong)
    {
        using var run = new ConversationRun([_peer], prefixes: true);
        run.Ask("SUBSCRIBE", "a");
        run.Relayed(1);
        (isLong ? run.Head("GET", "none:k") : run.Ask("GET", "none:k")).ShouldBeEmpty();
        run.Relayed(1).ShouldStartWith("-ERR Can't execute 'get'");
        run.IsClosed.ShouldBeFalse();
    }

    /// <summary>Whether it goes out is for the answers before it to say: they may have to be asked for again in the state that is left.</summary>
    [Theory]
    [InlineData("SELECT 2", false)]
    [InlineData("HELLO 3", false)]
    [InlineData("AUTH default x", false)]
    [InlineData("RESET", false)]
    [InlineData("SELECT 2", true)]
    [InlineData("HELLO 3", true)]
    [InlineData("AUTH default x", true)]
    [InlineData("RESET", true)]
    public void ChangeOfState_WaitsForTheAnswersDue(string change, bool pinned)
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("SELECT", "1").ShouldBe("+OK\r\n");
        if (pinned)
        {
            run.Ask("WATCH", "x").ShouldBe("+OK\r\n");
        }

        ConnectionProfile before = run.Profile;
        run.IsQuiet = false;
        run.Ask(change.Split(' ')).ShouldBeEmpty();
        run.Last.Act.ShouldBe(Act.NeedQuiet);
        run.Profile.ShouldBeSameAs(before);

        run.IsQuiet = true;
        run.Ask(change.Split(' ')).ShouldNotStartWith("-");
        run.Profile.ShouldNotBe(before);
    }

    [Fact]
    public void TransactionThatChangesTheDatabase_WaitsForTheAnswersDue()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("MULTI");
        run.Ask("SELECT", "2").ShouldBe("+QUEUED\r\n");
        run.IsQuiet = false;
        run.Ask("EXEC").ShouldBeEmpty();
        run.Last.Act.ShouldBe(Act.NeedQuiet);
        run.IsQuiet = true;
        run.Ask("EXEC").ShouldBe("*1\r\n+OK\r\n");
        run.Profile.ShouldNotBe(ConnectionProfile.None);

        // Others wait for nobody.
        run.Ask("MULTI");
        run.Ask("INCR", "x").ShouldBe("+QUEUED\r\n");
        run.IsQuiet = false;
        run.Ask("EXEC").ShouldBe("*1\r\n:1\r\n");
    }

    /// <summary>Of servers newer than the table, and refused by this one: then nothing is set there.</summary>
    [Fact]
    public void NoTouch_IsOfAConnectionOfTheClientsOwn()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("CLIENT", "no-touch", "on").ShouldStartWith("-ERR");
        run.IsPinned.ShouldBeFalse();
        run.PrivateConnections.ShouldBe(1);
    }

    [Theory]
    [InlineData("2", "MULTI", 2)]
    [InlineData("2", "WATCH k", 2)]
    [InlineData("2", "CLIENT NO-EVICT on", 2)]
    [InlineData("3", "CLIENT TRACKING ON", 2)]
    [InlineData("3", "MONITOR", 2)]
    public void Unsubscribe_WithWhatStaysInTheConnection_KeepsItForTheClient(string version, string line, int answers)
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("HELLO", version);
        run.Ask("SUBSCRIBE", "a");
        run.Relayed(1);
        run.Ask("UNSUBSCRIBE");
        run.Line(line).ShouldBeEmpty();
        run.Relayed(answers).ShouldEndWith("+OK\r\n");
        run.IsPinned.ShouldBeTrue();
        run.Ask("RESET");
        string seen = run.Relayed(1);
        while (run.IsRelaying)
        {
            seen = run.Relayed(1);
        }

        seen.ShouldBe("+RESET\r\n");
    }

    [Fact]
    public void Unsubscribe_BehindWhatTheServerRefused_GivesTheConnectionBack()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("SUBSCRIBE", "a");
        run.Relayed(1);
        run.Ask("MULTI");
        run.Relayed(1).ShouldStartWith("-ERR Can't execute 'multi'");
        run.Ask("UNSUBSCRIBE");
        run.Relayed(1);
        run.IsPinned.ShouldBeFalse();
    }

    [Theory]
    [InlineData("SUBSCRIBE a", 0)]
    [InlineData("SUBSCRIBE a\nUNSUBSCRIBE a", 1)]
    [InlineData("SUBSCRIBE a b\nUNSUBSCRIBE a", 2)]
    [InlineData("SUBSCRIBE a\nRESET", 1)]
    [InlineData("HELLO 3\nSUBSCRIBE a", 1)]
    [InlineData("SSUBSCRIBE a", 1)]
    [InlineData("MONITOR", 0)]
    public void Relaying_WhereTheServerCouldTakeIt_WhatChangesTheConnectionEndsIt(string before, int answers)
    {
        using var run = new ConversationRun([_peer]);
        foreach (string line in before.Split('\n'))
        {
            run.Line(line);
        }

        run.Relayed(answers);
        run.Ask("SELECT", "1").ShouldBe("-ERR MeshL4: SELECT is not supported through this proxy while subscribed\r\n");
        run.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void Unsubscribe_MoreCommandsAreUnderWay_KeepsTheConnectionForTheirAnswers()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("SUBSCRIBE", "a");
        run.Ask("UNSUBSCRIBE");
        run.Ask("UNSUBSCRIBE");
        run.Ask("SSUBSCRIBE", "s");
        run.Relayed(4).ShouldEndWith("$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n");
        run.IsRelaying.ShouldBeTrue();
        run.Ask("SUNSUBSCRIBE", "s", "t");
        run.Relayed(1);
        run.IsRelaying.ShouldBeTrue();
        run.Relayed(1).ShouldBe("*3\r\n$12\r\nsunsubscribe\r\n$1\r\nt\r\n:0\r\n");
        run.IsRelaying.ShouldBeFalse();
    }

    [Fact]
    public void Subscribe_InVersionThree_TakesOtherCommandsToo()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("HELLO", "3").ShouldStartWith("%7\r\n");
        run.Ask("SUBSCRIBE", "a");
        run.Ask("RPUSH", "l", "message", "x");
        run.Ask("LRANGE", "l", "0", "-1");
        run.Relayed(3).ShouldBe(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n:2\r\n*2\r\n$7\r\nmessage\r\n$1\r\nx\r\n");
        _peer.Ask("PUBLISH", "a", "m");
        run.Relayed(1).ShouldStartWith(">3\r\n$7\r\nmessage");
        run.Ask("UNSUBSCRIBE", "a");
        run.Relayed(1).ShouldEndWith(":0\r\n");
        run.IsRelaying.ShouldBeFalse();
        run.Ask("GET", "nokey").ShouldBe("_\r\n");
    }

    [Theory]
    [InlineData("SUBSCRIBE a", 1)]
    [InlineData("MONITOR", 0)]
    public void Reset_WhileRelaying_ForgetsAllAndClosesTheConnection(string line, int frames)
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("SELECT", "3");
        run.Line(line);
        run.Relayed(frames);
        run.Ask("RESET");
        string seen = run.Relayed(1);
        while (run.IsRelaying)
        {
            seen = run.Relayed(1);
        }

        seen.ShouldBe("+RESET\r\n");
        run.Profile.ShouldBe(ConnectionProfile.None);
    }

    [Theory]
    [InlineData("SUBSCRIBE a", 1)]
    [InlineData("MONITOR", 0)]
    public void Reset_ThatTheServerDoesNotKnow_LetsTheClientGoOn(string line, int frames)
    {
        using var peer = new RedisPeer("--rename-command", "RESET", "");
        using var run = new ConversationRun([peer]);
        run.Line(line);
        run.Relayed(frames);
        run.Ask("RESET").ShouldBeEmpty();
        (run.Last.Flags & ForwardFlags.Wait).ShouldBe(ForwardFlags.Wait);
        for (string seen = run.Relayed(1); seen[0] != '-'; seen = run.Relayed(1))
        {
            run.IsResumed.ShouldBeFalse();
        }

        run.IsResumed.ShouldBeTrue();
        run.IsRelaying.ShouldBeTrue();
    }

    [Fact]
    public void Reset_BehindAnErrorOfWhoMonitors_IsTakenWhenItsAnswerComes()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("MONITOR").ShouldBe("+OK\r\n");
        run.Ask("GET", "k");
        run.Ask("RESET");
        run.Relayed(1).ShouldStartWith("-ERR Replica can't interact with the keyspace");
        for (string seen = run.Relayed(1); seen != "+RESET\r\n"; seen = run.Relayed(1))
        {
            run.IsRelaying.ShouldBeTrue();
        }

        run.IsRelaying.ShouldBeFalse();
        run.Ask("SELECT", "1").ShouldBe("+OK\r\n");
    }

    [Fact]
    public void Monitor_Relays_WhatOthersDo()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("MONITOR").ShouldBe("+OK\r\n");
        _peer.Ask("GET", "seen");
        run.Relayed(1).ShouldContain("\"GET\" \"seen\"");
    }

    [Fact]
    public void ClientReply_OffAndSkip_TakeAnswersAwayAndNothingElse()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("CLIENT", "REPLY", "SKIP").ShouldBeEmpty();
        run.Ask("SET", "a", "1").ShouldBeEmpty();
        run.Ask("GET", "a").ShouldBe("$1\r\n1\r\n");
        run.Ask("CLIENT", "REPLY", "SKIP").ShouldBeEmpty();
        run.Ask("PING").ShouldBeEmpty();
        run.Ask("PING").ShouldBe("+PONG\r\n");
        run.Ask("CLIENT", "REPLY", "SKIP").ShouldBeEmpty();
        run.Ask("UNSUBSCRIBE").ShouldBe("*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
        run.Ask("CLIENT", "REPLY", "SKIP").ShouldBeEmpty();
        run.Ask("RESET").ShouldBeEmpty();
        run.Ask("CLIENT", "REPLY", "OFF").ShouldBeEmpty();
        run.Ask("INCR", "a").ShouldBeEmpty();
        run.Ask("SELECT", "2").ShouldBeEmpty();
        run.Ask("SET", "b", "2").ShouldBeEmpty();
        run.Ask("MULTI").ShouldBeEmpty();
        run.Ask("SET", "c", "3").ShouldBeEmpty();
        run.Ask("EXEC").ShouldBeEmpty();
        run.Ask("REPLICAOF", "a", "1").ShouldBeEmpty();
        run.Ask("CLIENT", "REPLY", "SKIP").ShouldBeEmpty();
        run.Ask("CLIENT", "REPLY", "ON").ShouldBe("+OK\r\n");
        run.Ask("MGET", "b", "c").ShouldBe("*2\r\n$1\r\n2\r\n$1\r\n3\r\n");
        run.Ask("SELECT", "0");
        run.Ask("GET", "a").ShouldBe("$1\r\n2\r\n");
    }

    [Theory]
    [InlineData("AUTH right", "+OK\r\n", true)]
    [InlineData("AUTH second", "+OK\r\n", true)]
    [InlineData("AUTH default right", "+OK\r\n", true)]
    [InlineData("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false)]
    [InlineData("AUTH other right", "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false)]
    [InlineData("AUTH righ", "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false)]
    [InlineData("AUTH \"\"", "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false)]
    [InlineData("HELLO 3 AUTH default wrong", "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false)]
    [InlineData("HELLO 3", "-NOAUTH HELLO must be called with the client already authenticated, otherwise", false)]
    [InlineData("HELLO 3 AUTH default right", "%7\r\n", true)]
    [InlineData("HELLO 9 AUTH default right", "-NOPROTO unsupported protocol version\r\n", false)]
    public void Password_OfTheProxy_IsAskedForHere(string line, string expected, bool opened)
    {
        using var run = new ConversationRun([_peer], With("", "right", "second"));
        run.Ask("GET", "a").ShouldBe("-NOAUTH Authentication required.\r\n");
        run.Ask("PING").ShouldBe("-NOAUTH Authentication required.\r\n");
        run.Line(line).ShouldStartWith(expected);
        run.Ask("SET", "a", "1").ShouldBe(opened ? "+OK\r\n" : "-NOAUTH Authentication required.\r\n");
        run.Ask("RESET").ShouldBe("+RESET\r\n");
        run.Ask("GET", "a").ShouldBe("-NOAUTH Authentication required.\r\n");
        run.Ask("QUIT").ShouldBe("+OK\r\n");
        run.IsClosed.ShouldBeTrue();
    }

    [Fact]
    public void Username_OfTheProxy_GoesWithThePassword()
    {
        using var run = new ConversationRun([_peer], With("app", "right"));
        run.Ask("AUTH", "right").ShouldStartWith("-WRONGPASS");
        run.Ask("AUTH", "app", "wrong").ShouldStartWith("-WRONGPASS");
        run.Ask("AUTH", "app", "right").ShouldBe("+OK\r\n");
        run.Ask("PING").ShouldBe("+PONG\r\n");
    }

    [Fact]
    public void Auth_WithoutPasswordsOfTheProxy_IsTheServersAndChoosesTheConnections()
    {
        _peer.Ask("ACL", "SETUSER", "reader", "on", ">secret", "+@all", "-set", "~*");
        using var run = new ConversationRun([_peer]);
        run.Ask("ACL", "WHOAMI").ShouldBe("$7\r\ndefault\r\n");
        run.Ask("AUTH", "reader", "wrong").ShouldStartWith("-WRONGPASS");
        run.Ask("ACL", "WHOAMI").ShouldBe("$7\r\ndefault\r\n");
        run.Ask("AUTH", "reader", "secret").ShouldBe("+OK\r\n");
        run.Ask("ACL", "WHOAMI").ShouldBe("$6\r\nreader\r\n");
        run.Ask("SET", "a", "1").ShouldStartWith("-NOPERM");
        run.Ask("HELLO", "3", "AUTH", "default", "x", "SETNAME", "me").ShouldStartWith("%7");
        run.Ask("ACL", "WHOAMI").ShouldBe("$7\r\ndefault\r\n");
        run.Ask("CLIENT", "GETNAME").ShouldBe("$2\r\nme\r\n");
        run.Ask("SET", "a", "1").ShouldBe("+OK\r\n");
    }

    [Fact]
    public void Login_OfTheProxy_IsPresentedToTheServer()
    {
        using var peer = new RedisPeer("--requirepass", "top");
        using var run = new ConversationRun([peer], new RedisConversationOptions { Upstream = RedisLogin.Copy(default, "top"u8) });
        run.Ask("SET", "a", "1").ShouldBe("+OK\r\n");
        run.Ask("HELLO", "3").ShouldStartWith("%7");
        run.Ask("SELECT", "1").ShouldBe("+OK\r\n");
        run.Ask("SET", "a", "1").ShouldBe("+OK\r\n");
        run.Profile.Replies.ShouldBe(3);
    }

    [Fact]
    public void Prefix_OfKeys_IsTakenOffWhereverKeysAre()
    {
        using var run = new ConversationRun([_peer], prefixes: true);
        run.Ask("SET", "p:a", "1").ShouldBe("+OK\r\n");
        run.Ask("MSET", "p:b", "2", "c", "3").ShouldBe("+OK\r\n");
        run.Ask("MGET", "p:a", "b", "p:c").ShouldBe("*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
        run.Ask("RENAME", "p:a", "p:d").ShouldBe("+OK\r\n");
        run.Line("EVAL \"return KEYS[1]\" 1 p:d").ShouldBe("$1\r\nd\r\n");
        run.Ask("MULTI");
        run.Ask("GET", "p:d").ShouldBe("+QUEUED\r\n");
        run.Ask("EXISTS", "p:d", "d").ShouldBe("+QUEUED\r\n");
        run.Ask("EXEC").ShouldBe("*2\r\n$1\r\n1\r\n:2\r\n");
        Encoding.Latin1.GetString(_peer.Ask("EXISTS", "p:a", "p:b", "p:d")).ShouldBe(":0\r\n");
    }

    [Fact]
    public void CustomCommand_IsRoutedByItsFirstArgument()
    {
        RedisPeer[] peers = [_peer, new()];
        using var run = new ConversationRun(peers, new RedisConversationOptions { CustomCommands = ["MOD.GET"] });
        run.Ask("mod.get", "a", "x").ShouldStartWith("-ERR unknown command 'mod.get'");
        run.Last.TargetPlusOne.ShouldBe(1);
        run.Ask("mod.set", "a", "x").ShouldStartWith("-ERR unknown command 'mod.set'");
        run.Last.TargetPlusOne.ShouldBe(0);
        peers[1].Dispose();
    }

    [Fact]
    public void HelloOption_WithControlCharacters_IsEchoedPrintable()
    {
        using var run = new ConversationRun([_peer]);
        run.Ask("HELLO", "3", "a\r\n-ERR \u001b[31m\u00ff" + new string('x', 200)).ShouldBe(
            @"-ERR Syntax error in HELLO option 'a\x0d\x0a-ERR \x1b[31m\xff" + new string('x', 114) + "'\r\n");
    }

    [Fact]
    public void OnRequest_CommonCommands_AllocatesNothing()
    {
        using var run = new ConversationRun([_peer]);
        var conversation = new RedisConversation(RedisConversationOptions.Default);
        byte[] frames = [.. RedisLink.Frame("GET", "k"), .. RedisLink.Frame("SET", "k", "v"), .. RedisLink.Frame("MGET", "a", "b")];
        Decide(conversation, frames, run).ShouldBe(3);
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                Decide(conversation, frames, run);
            }
        }).ShouldBe(0);
    }

    private static int Decide(RedisConversation conversation, byte[] frames, ConversationRun run)
    {
        RespCodec codec = RespCodec.Start(Side.Downstream, CodecLimits.Default);
        FrameHead head = default;
        int count = 0;
        for (int at = 0; at < frames.Length; count++)
        {
            codec.Scan(frames.AsSpan(at), ref head, out int consumed);
            conversation.OnRequest(ref codec, new FrameView(ref head, frames.AsSpan(at, consumed), true), run);
            at += consumed;
        }

        return count;
    }

    private static RedisConversationOptions With(string username, params string[] passwords) => new()
    {
        Username = Encoding.UTF8.GetBytes(username),
        Passwords = [.. passwords.Select(static p => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(p))],
    };
}

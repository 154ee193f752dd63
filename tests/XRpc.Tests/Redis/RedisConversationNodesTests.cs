using MeshL4.XRpc.Contracts;
using Shouldly;
using Xunit;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>A conversation over three servers, each with a part of the keys.</summary>
public sealed class RedisConversationNodesTests : IDisposable
{
    private readonly RedisPeer[] _peers = [new(), new(), new()];
    private readonly ConversationRun _run;

    public RedisConversationNodesTests() => _run = new ConversationRun(_peers);

    public void Dispose()
    {
        _run.Dispose();
        Array.ForEach(_peers, static peer => peer.Dispose());
    }

    [Fact]
    public void MultiKeyCommands_OverNodes_AnswerAsOneServerDoes()
    {
        using var one = new RedisPeer();
        string[] keys = [.. Enumerable.Range(0, 300).Select(static i => $"k{i}")];
        string[][] script =
        [
            ["MSET", .. keys.Where(static k => !k.EndsWith('7')).SelectMany(static k => new[] { k, k + "\r\n*3" })],
            ["MGET", .. keys],
            ["EXISTS", .. keys, "k1", "k1"],
            ["TOUCH", .. keys],
            ["DBSIZE"],
            ["DEL", .. keys.Take(100)],
            ["UNLINK", .. keys.Skip(50)],
            ["MGET", .. keys],
            ["KEYS", "*"],
            ["RANDOMKEY"],
            ["MGET"],
            ["MSET", "a"],
        ];
        foreach (string[] words in script)
        {
            _run.Ask(words).ShouldBe(System.Text.Encoding.Latin1.GetString(one.Ask(words)), string.Join(' ', words.Take(3)));
        }

        _run.SplitRequests.ShouldBe(10);
    }

    [Fact]
    public void Mget_OneNodeFails_HasItsErrorInThePlacesOfItsKeys()
    {
        string[] keys = ["a", "b", "c", "d", "e", "f"];
        _run.Ask("MSET", "a", "1", "b", "1", "c", "1", "d", "1", "e", "1", "f", "1");
        _peers[_run.NodeOf("a")].Ask("ACL", "SETUSER", "default", "-mget");
        string[] lines = _run.Ask(["MGET", .. keys]).Split("\r\n");

        lines[0].ShouldBe("*6");
        int line = 1;
        foreach (string key in keys)
        {
            bool failed = _run.NodeOf(key) == _run.NodeOf("a");
            lines[line].ShouldStartWith(failed ? "-NOPERM" : "$1");
            line += failed ? 1 : 2;
        }
    }

    [Fact]
    public void Mset_OneNodeFails_KeepsTheServersCodeAndCountsTheParts()
    {
        _peers[_run.NodeOf("a")].Ask("ACL", "SETUSER", "default", "-mset");
        _run.Ask("MSET", "a", "1", "b", "1", "c", "1", "d", "1", "e", "1", "f", "1", "g", "1")
            .ShouldBe("-NOPERM this user has no permissions to run the 'mset' command (1 of 3 parts of MSET failed)\r\n");
    }

    [Theory]
    [InlineData("MSETNX {0} 1 {1} 2")]
    [InlineData("RENAME {0} {1}")]
    [InlineData("SUNIONSTORE d{{{0}}} {0} {1}")]
    [InlineData("EVAL \"return 1\" 2 {0} {1}")]
    [InlineData("BLPOP {0} {1} 0")]
    [InlineData("XREAD STREAMS {0} {1} 0 0")]
    [InlineData("SORT {0} BY x STORE {1}")]
    [InlineData("WATCH {0} {1}")]
    public void Keys_OnDifferentNodes_AreRefusedWithTheServersCode(string format)
    {
        (string a, string b) = Apart();
        string line = string.Format(format, a, b);
        _run.Line(line).ShouldBe($"-CROSSSLOT MeshL4: keys of {line.Split(' ')[0]} are on different nodes\r\n");
    }

    [Fact]
    public void Keys_WithOneTag_AreTakenTogether()
    {
        _run.Ask("MSETNX", "{t}a", "1", "b{t}", "2").ShouldBe(":1\r\n");
        _run.Ask("RENAME", "{t}a", "{t}c").ShouldBe("+OK\r\n");
        _run.Ask("EVAL", "return redis.call('GET', KEYS[2])", "2", "b{t}", "{t}c").ShouldBe("$1\r\n1\r\n");
    }

    [Fact]
    public void Transaction_OnOneNode_IsExecutedThereAndLeavesNoConnection()
    {
        (string a, string b) = Apart();
        _run.Ask("MULTI").ShouldBe("+OK\r\n");
        _run.IsPinned.ShouldBeFalse();
        _run.Ask("SET", a, "1").ShouldBe("+QUEUED\r\n");
        _run.IsPinned.ShouldBeTrue();
        _run.Ask("EXEC").ShouldBe("*1\r\n+OK\r\n");
        _run.IsPinned.ShouldBeFalse();

        _run.Ask("MULTI");
        _run.Ask("SET", a, "2").ShouldBe("+QUEUED\r\n");
        _run.Ask("SET", b, "2").ShouldStartWith("-CROSSSLOT MeshL4: keys of SET are on another node");
        _run.Ask("EXEC").ShouldBe("-EXECABORT Transaction discarded because of previous errors.\r\n");
        _run.IsPinned.ShouldBeFalse();
        _run.Ask("GET", a).ShouldBe("$1\r\n1\r\n");

        _run.Ask("MULTI");
        _run.Ask("FLUSHALL").ShouldStartWith("-ERR MeshL4: FLUSHALL goes to several nodes");
        _run.Ask("SET", a, "3").ShouldBe("+QUEUED\r\n");
        _run.Ask("EXEC").ShouldStartWith("-EXECABORT");
        _run.Ask("GET", a).ShouldBe("$1\r\n1\r\n");
    }

    [Fact]
    public void Transaction_WhoseConnectionIsLost_IsAborted()
    {
        _run.Ask("MULTI");
        _run.Ask("SET", "a", "1").ShouldBe("+QUEUED\r\n");
        _run.LosePinned();
        _run.Ask("SET", "a", "2").ShouldBe("+QUEUED\r\n");
        _run.Ask("EXEC").ShouldStartWith("-EXECABORT");
        _run.Ask("GET", "a").ShouldBe("$-1\r\n");
    }

    [Fact]
    public void Watch_WhoseConnectionIsLost_ExecutesNothing()
    {
        _run.Ask("WATCH", "a").ShouldBe("+OK\r\n");
        _run.LosePinned();
        _run.Ask("MULTI").ShouldBe("+OK\r\n");
        _run.Ask("SET", "a", "2").ShouldBe("+QUEUED\r\n");
        _run.Ask("EXEC").ShouldBe("*-1\r\n");
        _run.Ask("GET", "a").ShouldBe("$-1\r\n");
    }

    [Fact]
    public void Watch_KeyChangedByAnother_FailsTheTransaction()
    {
        _run.Ask("WATCH", "a").ShouldBe("+OK\r\n");
        _peers[_run.NodeOf("a")].Ask("SET", "a", "9");
        _run.Ask("MULTI").ShouldBe("+OK\r\n");
        _run.Ask("SET", "a", "2").ShouldBe("+QUEUED\r\n");
        _run.Ask("EXEC").ShouldBe("*-1\r\n");
        _run.IsPinned.ShouldBeFalse();
    }

    [Fact]
    public void Scripts_LoadedOnce_AreKnownWhereverTheirKeysAre()
    {
        string digest = _run.Ask("SCRIPT", "LOAD", "return KEYS[1]").Split("\r\n")[1];
        foreach (string key in (string[])["a", "b", "c", "d", "e"])
        {
            _run.Ask("EVALSHA", digest, "1", key).ShouldBe($"$1\r\n{key}\r\n");
        }

        _run.Ask("SCRIPT", "EXISTS", digest, "nope").ShouldBe("*2\r\n:1\r\n:0\r\n");
        _peers[1].Ask("SCRIPT", "FLUSH");
        _run.Ask("SCRIPT", "EXISTS", digest).ShouldBe("*1\r\n:0\r\n");
    }

    [Fact]
    public void Select_OnEveryNode_KeepsDatabasesApart()
    {
        string[] keys = ["a", "b", "c", "d"];
        _run.Ask("SELECT", "2").ShouldBe("+OK\r\n");
        _run.Ask("MSET", "a", "2", "b", "2", "c", "2", "d", "2").ShouldBe("+OK\r\n");
        _run.Ask("SELECT", "0").ShouldBe("+OK\r\n");
        _run.Ask(["EXISTS", .. keys]).ShouldBe(":0\r\n");
        _run.Ask("SELECT", "99").ShouldBe("-ERR DB index is out of range\r\n");
        _run.Ask(["EXISTS", .. keys]).ShouldBe(":0\r\n");
        _run.Ask("SELECT", "2").ShouldBe("+OK\r\n");
        _run.Ask(["EXISTS", .. keys]).ShouldBe(":4\r\n");
    }

    [Theory]
    [InlineData("WAIT 1 10", "-ERR MeshL4: WAIT goes to several nodes")]
    [InlineData("REPLICAOF no one", "-ERR MeshL4: REPLICAOF is not supported through this proxy")]
    [InlineData("PSYNC ? -1", "-ERR MeshL4: PSYNC is not supported")]
    [InlineData("CLUSTER MEET a 1", "-ERR MeshL4: CLUSTER MEET is not supported")]
    [InlineData("MGET a none:a", "-ERR MeshL4: no route for MGET")]
    [InlineData("RENAME none:a a", "-ERR MeshL4: no route for RENAME")]
    public void Command_ThatCannotBe_IsAnsweredWithItsReason(string line, string expected) => _run.Line(line).ShouldStartWith(expected);

    [Fact]
    public void ClientId_IsTheProxysForTheConnectionsLife_AndHoldsTheClientToNoNode()
    {
        (string a, string b) = Apart();
        using var other = new ConversationRun(_peers);
        string id = _run.Ask("CLIENT", "ID");
        other.Ask("CLIENT", "ID").ShouldNotBe(id);
        _run.Ask("SET", a, "1").ShouldBe("+OK\r\n");
        _run.Ask("SET", b, "1").ShouldBe("+OK\r\n");
        _run.Ask("SELECT", "1").ShouldBe("+OK\r\n");
        _run.Ask("CLIENT", "ID").ShouldBe(id);
        _run.Ask("RESET").ShouldBe("+RESET\r\n");
        _run.Ask("CLIENT", "ID").ShouldBe(id);
        _run.PrivateConnections.ShouldBe(0);
    }

    [Theory]
    [InlineData("CLIENT KILL ID {0}", ":0")]
    [InlineData("CLIENT UNBLOCK {0}", ":0")]
    [InlineData("CLIENT TRACKING ON REDIRECT {0}", "-ERR The client ID you want redirect to does not exist")]
    public void ClientId_AtAServer_NamesNobody(string line, string expected)
    {
        string id = _run.Ask("CLIENT", "ID").Trim()[1..];
        _run.Line(string.Format(line, id)).ShouldBe(expected + "\r\n");
    }

    [Fact]
    public void Subscribed_InVersionTwo_KeysOfOtherNodesAreRefusedByTheServer()
    {
        _run.Ask("SUBSCRIBE", "a");
        _run.Relayed(1);
        foreach (string key in Enumerable.Range(0, 10).Select(static i => $"k{i}"))
        {
            _run.Ask("GET", key);
            _run.Relayed(1).ShouldStartWith("-ERR Can't execute 'get'");
            _run.Line($"MGET {key} a b c d e f").ShouldBeEmpty();
            _run.Relayed(1).ShouldStartWith("-ERR Can't execute 'mget'");
        }

        _run.IsClosed.ShouldBeFalse();
    }

    [Fact]
    public void Blocking_WithKeysOfOneNode_HasAConnectionForItsOwnAnswerOnly()
    {
        _peers[_run.NodeOf("q")].Ask("RPUSH", "q", "1");
        _run.Ask("BLPOP", "q", "0").ShouldBe("*2\r\n$1\r\nq\r\n$1\r\n1\r\n");
        _run.Last.Flags.ShouldBe(ForwardFlags.PinOnce | ForwardFlags.NoTimeout);
        _run.IsPinned.ShouldBeFalse();
        _run.PrivateConnections.ShouldBe(1);
    }

    [Fact]
    public void Tracking_TellsOfChangesOfItsNodeAndRefusesKeysOfOthers()
    {
        _run.Ask("HELLO", "3");
        _run.Ask("CLIENT", "TRACKING", "ON").ShouldBe("+OK\r\n");
        _run.IsPinned.ShouldBeTrue();
        (string[] here, string[] there) = (Keys(static (own, node) => own == node), Keys(static (own, node) => own != node));
        _run.Ask("SET", here[0], "1");
        _run.Ask("GET", here[0]).ShouldBe("$1\r\n1\r\n");
        _run.Ask("GET", there[0]).ShouldStartWith("-CROSSSLOT MeshL4: keys of GET are on another node");
        _peers[_run.NodeOf(here[0])].Ask("SET", here[0], "2");
        _run.Ask("ECHO", "x").ShouldBe("$1\r\nx\r\n");
        _run.Ask("GET", here[0]).ShouldBe($">2\r\n$10\r\ninvalidate\r\n*1\r\n${here[0].Length}\r\n{here[0]}\r\n$1\r\n2\r\n");
        _run.Ask("RESET").ShouldBe("+RESET\r\n");
        _run.IsPinned.ShouldBeFalse();
        _run.Ask("GET", "nokey").ShouldBe("$-1\r\n");
    }

    private string[] Keys(Func<int, int, bool> fits)
    {
        int own = _run.NodeOf("");
        return [.. Enumerable.Range(0, 50).Select(static i => $"t{i}").Where(key => fits(own, _run.NodeOf(key)))];
    }

    private (string A, string B) Apart()
    {
        string b = Enumerable.Range(0, 100).Select(static i => $"b{i}").First(key => _run.NodeOf(key) != _run.NodeOf("a"));
        return ("a", b);
    }
}

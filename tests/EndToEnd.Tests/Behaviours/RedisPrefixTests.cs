using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Routes that take their prefix off keys: of keys alone, wherever these are.</summary>
public sealed class RedisPrefixTests : IDisposable
{
    private const string Common = "{name: x, typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: x, codec: redis, route_config: {name: r, "
        + "routes: [{match: {key_prefix: 'p:'}, forward: {cluster: main, remove_key_prefix: true}}, {forward: {cluster: main}}]}}}";

    private static readonly string s_envoys = Boot.Redis("routes: [{prefix: 'p:', remove_prefix: true, cluster: main}], catch_all_route: {cluster: main}");

    private readonly Peer _redis = Peer.Redis();
    private readonly Peer _same = Peer.Redis();

    /// <summary>What a client has that its own connection was opened for the route's keys, and then says without a key.</summary>
    public static TheoryData<string[]> Conversations =>
    [
        ["MULTI", "SET p:t 1", "GET p:t", "EXEC", "GET p:t"],
        ["MULTI", "SET p:t 1", "DISCARD", "GET p:t", "MULTI", "GET p:t", "EXEC"],
        ["MULTI", "SET p:t 1", "PING", "ECHO a", "EVAL return(1) 0", "DBSIZE", "KEYS *", "SCAN 0", "RANDOMKEY", "PUBLISH p:c 1", "SELECT 0", "WAIT 0 1", "EXEC", "GET p:t"],
        ["MULTI", "PING", "SET p:t 1", "INCR p:t", "CLIENT NO-EVICT off", "EXEC", "GET p:t"],
        ["MULTI", "SET p:t 1", "NOSUCH", "EXEC", "MULTI", "EXEC x", "DISCARD x", "DISCARD", "GET p:t"],
        ["WATCH p:t", "UNWATCH", "GET p:t", "UNWATCH x", "EXEC", "DISCARD"],
        ["WATCH p:t", "RESET", "GET p:t", "DBSIZE"],
        ["WATCH p:t", "MULTI", "SET p:t 1", "EXEC", "GET p:t", "WATCH p:t", "SET p:t 2", "MULTI", "SET p:t 3", "EXEC", "GET p:t"],
        ["WATCH p:t", "MULTI", "DISCARD", "WATCH p:t", "MULTI", "EXEC", "WATCH p:t", "EXEC", "DISCARD", "EXEC x", "GET p:t"],
        ["WATCH p:t", "PING", "PING x", "ECHO a", "SELECT 1", "SET p:t 1", "DBSIZE", "SELECT 0", "DBSIZE", "CLIENT SETNAME n", "CLIENT GETNAME", "RESET", "CLIENT GETNAME"],
        ["WATCH p:t", "SET p:t 1", "KEYS *", "SCAN 0", "RANDOMKEY", "WAIT 0 1", "SCRIPT EXISTS x", "PUBLISH p:c 1", "PUBSUB CHANNELS", "COMMAND COUNT", "EVAL return(1) 0", "EVALSHA x 0"],
        ["WATCH p:t", "BLPOP p:none 0.01", "RPUSH p:l v", "BLPOP p:l 0", "XREAD BLOCK 1 STREAMS p:s $", "XREAD COUNT 1 STREAMS p:s 0", "SORT p:l", "UNSUBSCRIBE", "UNWATCH", "LLEN p:l"],
        ["WATCH p:t", "SUBSCRIBE p:c", "UNSUBSCRIBE p:c", "GET p:t", "PUBLISH p:c 1", "UNWATCH", "MULTI", "GET p:t", "EXEC", "RESET", "GET p:t"],
        ["SUBSCRIBE c", "PSUBSCRIBE p:*", "PING", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SET p:t 1", "GET p:t"],
        ["CLIENT NO-EVICT off", "SET p:t 1", "MULTI", "GET p:t", "EXEC", "DBSIZE", "RESET", "GET p:t"],
    ];

    [Theory]
    [MemberData(nameof(Conversations))]
    public void CommandsWithoutAKey_AreAnsweredAsByTheServer(string[] commands)
    {
        int port = Ports.Free();
        int envoys = Ports.Free();
        using Sidecar proxy = Start(new Boot().Listen("l", port, Boot.Chain(Common)).Listen("e", envoys, Boot.Chain(s_envoys)));
        string expected = Said(_same.Port, commands, "");
        Said(port, commands, "p:").ShouldBe(expected);
        Call.Ask(_redis.Port, "FLUSHALL").ShouldBe("+OK");
        Said(envoys, commands, "p:").ShouldBe(expected);
    }

    /// <summary>A message says which channel it is for, and its listener knows the name it asked for.</summary>
    [Fact]
    public void ChannelsKeepTheirNames()
    {
        int port = Ports.Free();
        using Sidecar proxy = Start(new Boot().Listen("l", port, Boot.Chain(Common)));
        using Call listener = Call.To(port);
        Lines(listener, "SSUBSCRIBE p:c", 6).ShouldBe(["*3", "$10", "ssubscribe", "$3", "p:c", ":1"]);
        using Call client = Call.To(port);
        client.Ask("SPUBLISH p:c word").ShouldBe(":1");
        Lines(listener, "", 7).ShouldBe(["*3", "$8", "smessage", "$3", "p:c", "$4", "word"]);
    }

    [Fact]
    public void LongCommand_WhileTheConnectionRelays_LosesThePrefixToo()
    {
        int port = Ports.Free();
        using Sidecar proxy = Start(new Boot().Listen("l", port, Boot.Chain(Common)));
        using Call client = Call.To(port);
        client.Ask("HELLO 3")!.ShouldStartWith("%");
        Wait.Until(() => client.ReadLine() == "modules", "no end of HELLO");
        client.ReadLine().ShouldBe("*0");
        client.Ask("SUBSCRIBE c").ShouldBe(">3");
        Lines(client, "", 5)[^1].ShouldBe(":1");
        client.Send(RedisFront.Command("SET", "p:long", new string('v', 200_000)));
        client.ReadLine().ShouldBe("+OK");
        Call.Ask(_redis.Port, "STRLEN long").ShouldBe(":200000");
    }

    public void Dispose()
    {
        _redis.Dispose();
        _same.Dispose();
    }

    /// <summary>All answers to a pipeline that begins with nothing in the way and ends the connection.</summary>
    private static string Said(int port, string[] commands, string prefix)
    {
        using Call call = Call.To(port);
        call.Send(string.Concat(commands.Append("QUIT").Select(line => RedisFront.Command([.. line.Split(' ').Select(word => Named(word, prefix))]))));
        using var reader = new StreamReader(call.Stream);
        return reader.ReadToEnd();
    }

    /// <summary>Channels have their names on both sides.</summary>
    private static string Named(string word, string prefix) =>
        word.StartsWith("p:", StringComparison.Ordinal) && word is not ("p:c" or "p:*") ? prefix + word[2..] : word;

    private static string[] Lines(Call client, string command, int count)
    {
        if (command.Length > 0)
        {
            client.Send(RedisFront.Command(command.Split(' ')));
        }

        return [.. Enumerable.Range(0, count).Select(_ => client.ReadLine()!)];
    }

    private Sidecar Start(Boot boot) => Sidecar.Start(boot.With(Boot.Cluster("main", [_redis.Address])));
}

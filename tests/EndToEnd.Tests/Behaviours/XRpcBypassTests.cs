using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>No spelling of a command and no state of a connection passes a login or a policy by.</summary>
public sealed class XRpcBypassTests : IDisposable
{
    private const string All = "{name: all, forward: {cluster: main}}";
    private const string NoFlush = "policies: {authorization: {deny: [{name: flush, methods: [FLUSHALL]}, {name: secrets, keys: [{prefix: 'secret:'}]}]}}";

    private readonly Peer _redis = Peer.Redis();
    private readonly Call _direct;

    public XRpcBypassTests()
    {
        _direct = Call.To(_redis.Port);
        _direct.Ask("SET kept 1").ShouldBe("+OK");
    }

    [Theory]
    [InlineData(" GET kept")]
    [InlineData("nonsense")]
    public void Login_IsNotPassedByByBytesThatAreNoCommand(string first)
    {
        using Sidecar proxy = Start(All, "authentication: {passwords: [{inline_string: secret}]}", out int port);
        using Call client = Call.To(port);
        client.Ask(first).ShouldBe("-NOAUTH Authentication required.");
        client.Ask("GET kept").ShouldBe("-NOAUTH Authentication required.");
    }

    /// <summary>A right password in a command that does not happen says nothing.</summary>
    [Fact]
    public void Login_IsNotMadeByACommandThatIsRefused()
    {
        using Sidecar proxy = Start(
            All, "authentication: {passwords: [{inline_string: secret}]}, policies: {authorization: {deny: [{name: hello, methods: [HELLO]}]}}", out int port);
        using Call client = Call.To(port);
        client.Ask("HELLO 3 AUTH default secret").ShouldStartWith("-NOPERM");
        client.Ask("GET kept").ShouldBe("-NOAUTH Authentication required.");
        client.Ask("AUTH secret").ShouldBe("+OK");
        client.Ask("GET kept").ShouldBe("$1");
        client.ReadLine().ShouldBe("1");
    }

    /// <summary>A refusal is an answer too.</summary>
    [Theory]
    [InlineData("FLUSHALL")]
    [InlineData("GET secret:1")]
    [InlineData("GET no:1")]
    [InlineData("MGET a no:1")]
    [InlineData("MGET a secret:1")]
    [InlineData("HELLO 3")]
    public void Refusals_AreNotToldToAClientThatWantsNoAnswers(string refused)
    {
        using Sidecar proxy = Start(
            "{name: no, match: {key_prefix: 'no:'}, reject: {message: ERR closed}}, " + All,
            NoFlush.Replace("[FLUSHALL]", "[FLUSHALL, HELLO]", StringComparison.Ordinal), out int port);
        using Call client = Call.To(port);
        client.Send($"CLIENT REPLY SKIP\r\n{refused}\r\nECHO 1\r\n");
        client.ReadLine().ShouldBe("$1");
        client.ReadLine().ShouldBe("1");
        client.Send($"CLIENT REPLY OFF\r\n{refused}\r\nMULTI\r\nSET a 1\r\n{refused}\r\nEXEC\r\nCLIENT REPLY ON\r\n");
        client.ReadLine().ShouldBe("+OK");
        client.Ask("EXISTS a").ShouldBe(":0");
        client.Ask(refused).ShouldStartWith("-");
    }

    [Theory]
    [InlineData("FLUSHALL")]
    [InlineData("\"FLUSHALL\"")]
    [InlineData("FLUSH\"ALL\"")]
    [InlineData("'flushall'")]
    [InlineData("\"\\x46LUSHALL\"")]
    [InlineData("FLUSHALL\0\r")]
    public void RulesByMethod_TakeALineHoweverItIsSpelled(string line)
    {
        using Sidecar proxy = Start(All, NoFlush, out int port);
        using Call client = Call.To(port);
        client.Ask(line).ShouldStartWith("-NOPERM");
        _direct.Ask("EXISTS kept").ShouldBe(":1");
        proxy.Stat("redis.x.command.flushall.total").ShouldBe(1);
    }

    /// <summary>Of several the server takes the last.</summary>
    [Theory]
    [InlineData("SORT kept STORE ok STORE secret:1")]
    [InlineData("GEORADIUS kept 1 1 1 m STORE ok STORE secret:1")]
    [InlineData("GEORADIUSBYMEMBER kept x 1 m STOREDIST secret:1 STORE ok")]
    [InlineData("XREADGROUP COUNT 1 GROUP STREAMS c STREAMS secret:1 >")]
    [InlineData("MIGRATE h 1 \"\" 0 1 KEYS secret:1 KEYS ok")]
    public void RulesByKey_SeeKeysBehindEveryOption(string line)
    {
        using Sidecar proxy = Start(All, NoFlush, out int port);
        using Call client = Call.To(port);
        client.Ask(line).ShouldStartWith("-NOPERM");
    }

    /// <summary>A pattern reads keys that nobody can ask the rules about, in whatever state the client is.</summary>
    [Theory]
    [InlineData("SORT a:l GET secret:*")]
    [InlineData("SORT a:l BY nosort LIMIT 0 1 get * STORE a:m")]
    [InlineData("\"SORT\" a:l by secret:*->f")]
    [InlineData("SORT_RO a:l BY nosort GET # GET secret:*->f")]
    public void RulesByKey_LetNoPatternReadOtherKeys(string line)
    {
        _direct.Ask("RPUSH a:l 1").ShouldBe(":1");
        using Sidecar denies = Start(All, NoFlush, out int port);
        using Sidecar allows = Start(
            "{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}, policies: {authorization: {deny: [{methods: [GET]}]}}}, "
            + "{name: b, match: {key_prefix: 'b:'}, forward: {cluster: main}, policies: {authorization: {allow: [{keys: [{prefix: 'b:x'}]}]}}}", "", out int perRoute);
        foreach (int to in (int[])[port, perRoute])
        {
            foreach (string state in (string[])["EXISTS a:l", "WATCH a:l", "MULTI"])
            {
                using Call client = Call.To(to);
                client.Ask(state).ShouldNotBeNull().ShouldNotStartWith("-");
                client.Ask(line).ShouldBe("-NOPERM MeshL4: not all keys that this command may read are allowed", state);
            }

            using Call subscriber = Call.To(to);
            subscriber.Hello(3);
            subscriber.Send(RedisFront.Command("SSUBSCRIBE", "a:c"));
            Wait.Until(() => _direct.Ask("SPUBLISH a:c x") == ":1", "not subscribed");
            subscriber.Send(line + "\r\n");
            subscriber.Rest().ShouldEndWith("-NOPERM MeshL4: not all keys that this command may read are allowed\r\n");
        }
    }

    /// <summary>What reads no other key is no matter of theirs, nor are rules that the request does not meet.</summary>
    [Theory]
    [InlineData("SORT a:l BY nosort", "{keys: [{prefix: 'secret:'}]}")]
    [InlineData("SORT a:l GET # LIMIT 0 1 STORE a:*", "{keys: [{prefix: 'secret:'}]}")]
    [InlineData("SORT a:l BY secret:* GET secret:*", "{methods: [GET], keys: [{prefix: 'secret:'}]}")]
    public void RulesByKey_LetOtherSortsPass(string line, string rule)
    {
        _direct.Ask("RPUSH a:l 1").ShouldBe(":1");
        using Sidecar proxy = Start(All, $"policies: {{authorization: {{deny: [{rule}]}}}}", out int port);
        using Call client = Call.To(port);
        client.Ask(line).ShouldNotBeNull().ShouldNotStartWith("-");
    }

    [Fact]
    public void RoutesByMethod_TakeALineInQuotes()
    {
        using Sidecar proxy = Start("{name: no, match: {methods: [FLUSHALL]}, reject: {message: ERR closed}}, " + All, "", out int port);
        using Call client = Call.To(port);
        client.Ask("\"FLUSHALL\"").ShouldBe("-ERR closed");
    }

    /// <summary>A key that comes in a line is metadata like any other.</summary>
    [Theory]
    [InlineData("GET secret:1")]
    [InlineData("GET \"secret:1\"")]
    [InlineData("'get'  'secret:1'")]
    [InlineData("GET \"\\x73ecret:1\"")]
    public void RulesByKeyAsMetadata_TakeALineHoweverItIsSpelled(string line)
    {
        const string Secrets = "policies: {authorization: {deny: [{name: secrets, metadata: [{name: key, value: {prefix: 'secret:'}}]}]}}";
        using Sidecar proxy = Start("{name: no, match: {metadata: [{name: key, value: {prefix: 'no:'}}]}, reject: {message: ERR closed}}, " + All, Secrets, out int port);
        using Call client = Call.To(port);
        client.Ask(line).ShouldStartWith("-NOPERM");
        client.Ask(line.Replace("secret", "no", StringComparison.Ordinal).Replace("\\x73ecret", "no", StringComparison.Ordinal)).ShouldBe("-ERR closed");
        client.Ask("GET kept").ShouldBe("$1");
    }

    [Fact]
    public void HashByKey_SendsALineWhereTheSameCommandGoesInTheUsualForm()
    {
        using Peer other = Peer.Redis();
        int port = Ports.Free();
        string filter = Boot.XRpc("{forward: {cluster: ring, hash_by: key}}");
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(filter)).With(Boot.Cluster("ring", [_redis.Address, other.Address], ", lb_policy: RING_HASH")));
        using Call client = Call.To(port);
        for (int i = 0; i < 20; i++)
        {
            client.Send(RedisFront.Command("SET", $"key:{i}", $"{i}"));
            client.ReadLine().ShouldBe("+OK");
            client.Ask($"GET 'key:{i}'").ShouldBe($"${i.ToString(System.Globalization.CultureInfo.InvariantCulture).Length}");
            client.ReadLine().ShouldBe($"{i}");
        }
    }

    [Theory]
    [InlineData("MGET", "a", "no:1")]
    [InlineData("MGET", "no:1", "a")]
    public void RoutesByMethodAndKey_TakeEveryKey(params string[] request)
    {
        using Sidecar proxy = Start("{name: no, match: {methods: [MGET], key_prefix: 'no:'}, reject: {message: ERR closed}}, " + All, "", out int port);
        using Call client = Call.To(port);
        client.Send(RedisFront.Command(request));
        client.ReadLine().ShouldBe("-ERR closed");
    }

    [Theory]
    [InlineData(2, "SUBSCRIBE a|UNSUBSCRIBE|FLUSHALL")]
    [InlineData(3, "SUBSCRIBE a|FLUSHALL")]
    [InlineData(3, "SUBSCRIBE a|SET secret:1 x")]
    [InlineData(2, "MONITOR|FLUSHALL")]
    [InlineData(2, "SSUBSCRIBE open|SSUBSCRIBE secret:1")]
    public void Policies_HoldWhileTheConnectionRelays(int version, string commands)
    {
        using Sidecar proxy = Start(All, NoFlush, out int port);
        using Call client = Call.To(port);
        if (version == 3)
        {
            client.Hello(version);
        }

        client.Send(string.Concat(commands.Split('|').Select(static one => RedisFront.Command(one.Split(' ')))));
        client.Rest().ShouldEndWith("-NOPERM MeshL4: this command is not allowed\r\n");
        _direct.Ask("EXISTS kept").ShouldBe(":1");
        _direct.Ask("EXISTS secret:1").ShouldBe(":0");
        proxy.Stat("redis.x.downstream_rq_denied").ShouldBe(1);
    }

    [Fact]
    public void RejectedWhileTheConnectionRelays_EndsItBehindTheError()
    {
        using Sidecar proxy = Start("{name: no, match: {key_prefix: 'no:'}, reject: {message: ERR closed}}, " + All, "", out int port);
        using Call client = Call.To(port);
        client.Hello(3);
        client.Send(RedisFront.Command("SUBSCRIBE", "a"));
        Wait.Until(() => _direct.Ask("PUBLISH a x") == ":1", "not subscribed");
        client.Send(RedisFront.Command("GET", "kept") + RedisFront.Command("GET", "no:1"));
        client.Rest().ShouldEndWith("-ERR closed\r\n");
    }

    [Fact]
    public void Allowed_WhileTheConnectionRelays_IsAnswered()
    {
        using Sidecar proxy = Start(All, NoFlush, out int port);
        using Call client = Call.To(port);
        client.Hello(3);
        client.Send(RedisFront.Command("SUBSCRIBE", "a") + RedisFront.Command("GET", "kept") + RedisFront.Command("UNSUBSCRIBE") + RedisFront.Command("PING"));
        string[] expected = [">3", "$9", "subscribe", "$1", "a", ":1", "$1", "1", ">3", "$11", "unsubscribe", "$1", "a", ":0", "+PONG"];
        foreach (string line in expected)
        {
            client.ReadLine().ShouldBe(line);
        }
    }

    public void Dispose()
    {
        _direct.Dispose();
        _redis.Dispose();
    }

    private Sidecar Start(string routes, string more, out int port)
    {
        port = Ports.Free();
        string filter = Boot.XRpc(routes, more.Length > 0 ? ", " + more : "");
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With(Boot.Cluster("main", [_redis.Address])));
    }
}

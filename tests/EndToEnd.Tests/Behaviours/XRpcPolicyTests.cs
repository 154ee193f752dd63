using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>The policies of a route on single requests, with a real server behind.</summary>
public sealed class XRpcPolicyTests : IDisposable
{
    private readonly Peer _redis = Peer.Redis();
    private readonly Peer _other = Peer.Redis();
    private readonly TempFolder _folder = new();

    [Fact]
    public void Reject_AnswersWithItsWords()
    {
        using Sidecar proxy = Start("{name: no, match: {key_prefix: 'no:'}, reject: {message: 'ERR closed for today'}}, {name: all, forward: {cluster: main}}", out int port);
        using Call client = Call.To(port);
        client.Ask("GET no:1").ShouldBe("-ERR closed for today");
        client.Ask("SET yes 1").ShouldBe("+OK");
    }

    [Fact]
    public void Route_ByMethod_TakesThoseAlone()
    {
        using Sidecar proxy = Start("{name: sets, match: {methods: [SET]}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}", out int port);
        using Call client = Call.To(port);
        client.Ask("SET k 1").ShouldBe("+OK");
        client.Ask("GET k").ShouldBe("$-1");
        using Call direct = Call.To(_other.Port);
        direct.Ask("GET k").ShouldBe("$1");
    }

    [Fact]
    public void Authorization_DeniesByMethodAndKey()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}",
            out int port,
            "authorization: {deny: [{name: flush, methods: [FLUSHALL, FLUSHDB]}, {name: secrets, keys: [{prefix: 'secret:'}]}]}");
        using Call client = Call.To(port);
        client.Ask("SET secret:1 x").ShouldStartWith("-NOPERM");
        client.Ask("SET public:1 x").ShouldBe("+OK");
        proxy.Stat("redis.x.downstream_rq_denied").ShouldBe(1);
    }

    /// <summary>Its length lets no key pass, nor do bytes that are no text.</summary>
    [Fact]
    public void Authorization_ByExpression_JudgesKeysOfAnyLength()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}", out int port, "authorization: {deny: [{name: secrets, keys: [{safe_regex: {regex: 'secret:.*'}}]}, {name: fields, metadata: [{name: key, value: {safe_regex: {regex: 'x{100,}'}}}]}]}");
        using Call client = Call.To(port);
        foreach (string key in (string[])["secret:1", "secret:\u00ff\u00fe", "secret:" + new string('k', 4089), "secret:" + new string('k', 4090), "secret:" + new string('k', 60_000), "secret:" + new string('k', 500_000)])
        {
            client.Send(RedisFront.Command("MSET", "open", "v", key, "v"));
            client.ReadLine().ShouldStartWith("-NOPERM");
        }

        foreach (string key in (string[])["secret:" + new string('k', 50_000), new string('x', 50_000)])
        {
            client.Send(RedisFront.Command("SET", key, "v"));
            client.ReadLine().ShouldStartWith("-NOPERM");
        }

        client.Send(RedisFront.Command("SET", new string('k', 50_000), "v"));
        client.ReadLine().ShouldBe("+OK");
    }

    [Fact]
    public void Authorization_OfARoute_HoldsForItsKeysInRequestsOfSeveralRoutes()
    {
        using Sidecar proxy = Start(
            "{name: open, match: {key_prefix: 'a:'}, forward: {cluster: main}}, "
            + "{name: guarded, match: {key_prefix: 'b:'}, forward: {cluster: main}, policies: {authorization: {deny: [{name: reads, methods: [MGET, GET]}]}}}, "
            + "{name: all, forward: {cluster: main}}",
            out int port);
        using Call client = Call.To(port);
        client.Ask("MSET a:1 x b:1 y").ShouldBe("+OK");
        client.Ask("MGET a:1 b:1").ShouldStartWith("-NOPERM");
        client.Ask("MGET b:1 a:1").ShouldStartWith("-NOPERM");
        client.Ask("STRLEN b:1").ShouldBe(":1");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("STRLEN a:1").ShouldBe("+QUEUED");
        client.Ask("GET b:1").ShouldStartWith("-NOPERM");
    }

    [Fact]
    public void Reject_ByMethod_TakesRequestsThatGoToEveryServer()
    {
        using Sidecar proxy = Start(
            "{name: no, match: {methods: [FLUSHALL, MGET]}, reject: {message: 'ERR not here'}}, {name: o, match: {key_prefix: 'o:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            out int port);
        using Call client = Call.To(port);
        client.Ask("SET k 1").ShouldBe("+OK");
        client.Ask("FLUSHALL").ShouldBe("-ERR not here");
        client.Ask("MGET k o:1").ShouldBe("-ERR not here");
        client.Ask("DBSIZE").ShouldBe(":1");
    }

    [Fact]
    public void RateLimit_OverTheTokens_IsAnErrorAndTheClientStays()
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", out int port, "rate_limit: {max_tokens: 3, tokens_per_fill: 3, fill_interval: 3600s}");
        using Call client = Call.To(port);
        for (int i = 0; i < 3; i++)
        {
            client.Ask("INCR n").ShouldBe($":{i + 1}");
        }

        client.Ask("INCR n").ShouldBe("-ERR MeshL4: rate limit exceeded");
        proxy.Stat("redis.x.downstream_rq_rate_limited").ShouldBe(1);
    }

    /// <summary>What a client wrote is where it reads: it draws once among clusters that have each their own keys.</summary>
    [Fact]
    public void WeightedClusters_KeepAClientWhereItWrote()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {weighted_clusters: {clusters: [{name: main, weight: 1}, {name: other, weight: 1}]}}}", out int port);
        for (int i = 0; i < 40; i++)
        {
            using Call client = Call.To(port);
            for (int turn = 0; turn < 5; turn++)
            {
                client.Ask($"INCR client{i}").ShouldBe($":{turn + 1}");
            }
        }

        using Call one = Call.To(_redis.Port);
        using Call two = Call.To(_other.Port);
        int[] counts = [.. new[] { one, two }.Select(static call => int.Parse(call.Ask("DBSIZE")![1..], System.Globalization.CultureInfo.InvariantCulture))];
        counts.Sum().ShouldBe(40);
        counts.ShouldAllBe(static count => count > 0);
    }

    [Fact]
    public void Fault_AbortsAndDelaysTheMethodsItNames()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}",
            out int port,
            "faults: [{fraction: {numerator: 100}, methods: [GET], abort: {message: 'ERR injected'}}, {fraction: {numerator: 100}, methods: [SET], delay: 0.1s}]");
        using Call client = Call.To(port);
        client.Send(RedisFront.Command("SET", "k", "1") + RedisFront.Command("GET", "k") + RedisFront.Command("INCR", "k"));
        client.ReadLine().ShouldBe("+OK");
        client.ReadLine().ShouldBe("-ERR injected");
        client.ReadLine().ShouldBe(":2");
        proxy.Stat("redis.x.delay_fault").ShouldBe(1);
        proxy.Stat("redis.x.error_fault").ShouldBe(1);
    }

    [Fact]
    public void RequestLog_HasALineForEveryRequest()
    {
        using Sidecar proxy = Start(
            "{name: all, forward: {cluster: main}}",
            out int port,
            $"request_log: {{sampling: {{numerator: 100}}, access_log: [{{name: f, typed_config: {{'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: {_folder.At("requests.log")}, log_format: {{text_format_source: {{inline_string: \"%CONNECTION_TERMINATION_DETAILS%\\n\"}}}}}}}}]}}");
        using Call client = Call.To(port);
        client.Ask("SET k abc").ShouldBe("+OK");
        client.Ask("INCR k").ShouldStartWith("-ERR");
        Wait.Until(() => File.Exists(_folder.At("requests.log")) && File.ReadAllLines(_folder.At("requests.log")).Length == 2, "two lines");
        File.ReadAllLines(_folder.At("requests.log")).ShouldBe(["redis_set route=all response", "redis_incr route=all error"]);
    }

    [Fact]
    public void Mirror_SendsACopyWhoseAnswerNobodySees()
    {
        using Sidecar proxy = Start("{name: all, forward: {cluster: main}}", out int port, "mirrors: [{cluster: other, exclude_reads: true}]");
        using Call client = Call.To(port);
        client.Ask("SET k 1").ShouldBe("+OK");
        client.Ask("GET k").ShouldBe("$1");
        using Call direct = Call.To(_other.Port);
        Wait.Until(() => direct.Ask("EXISTS k") == ":1", "no copy came");
    }

    [Fact]
    public void Mirror_GetsWhatTheServersGet_WithoutThePrefixThatIsTakenOff()
    {
        using Sidecar proxy = Start("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main, remove_key_prefix: true}}", out int port, "mirrors: [{cluster: other}]");
        using Call client = Call.To(port);
        client.Ask("SET a:k 1").ShouldBe("+OK");
        client.Ask("MSET a:m 1 a:n 2").ShouldBe("+OK");
        using Call direct = Call.To(_other.Port);
        Wait.Until(() => direct.Ask("EXISTS k m n") == ":3", "no copies came");
        direct.Ask("DBSIZE").ShouldBe(":3");
    }

    [Fact]
    public void Mirror_OfACommandForEveryServer_GetsItOnce()
    {
        using Peer second = Peer.Redis();
        string both = Boot.Cluster("both", [_redis.Address, second.Address], ", lb_policy: RING_HASH");
        using Sidecar proxy = Start("{name: all, forward: {cluster: both}}", out int port, "mirrors: [{cluster: other}]", both);
        using Call direct = Call.To(_other.Port);
        direct.Ask("SET k 1").ShouldBe("+OK");
        using Call client = Call.To(port);
        client.Ask("FLUSHALL").ShouldBe("+OK");
        Wait.Until(() => direct.Ask("EXISTS k") == ":0", "no copy came");
        proxy.Stat("redis.x.downstream_rq_mirrored").ShouldBe(1);
    }

    /// <summary>Routes to one server, whose part is not cut, and to another. A request that one route refuses takes nothing from the others.</summary>
    [Fact]
    public void RateLimit_OfEveryRouteOfARequest_IsAsked()
    {
        const string Once = "rate_limit: {max_tokens: 1, tokens_per_fill: 1, fill_interval: 3600s}", Refused = "-ERR MeshL4: rate limit exceeded";
        using Sidecar proxy = Start(
            $"{{name: a, match: {{key_prefix: 'a:'}}, forward: {{cluster: other}}, policies: {{{Once}}}}}, {{name: b, match: {{key_prefix: 'b:'}}, forward: {{cluster: other}}, policies: {{{Once}}}}}, "
            + "{name: free, match: {key_prefix: 'f:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            out int port);
        using Call client = Call.To(port);
        client.Ask("MSET z 1 f:1 v a:1 v").ShouldBe("+OK");
        foreach (string request in (string[])["SET a:1 v", "MSET z 1 a:1 v", "MSET f:1 v a:1 v", "MSET b:1 v a:1 v", "MSET z 1 b:1 v a:1 v", "MSETNX b:2 v a:2 v"])
        {
            client.Ask(request).ShouldBe(Refused, request);
        }

        client.Ask("MGET b:1 f:1 b:2").ShouldBe("*3");
        client.Take("$-1\r\n$1\r\nv\r\n$-1\r\n".Length);
        client.Ask("EXISTS z b:1").ShouldBe(Refused);
        proxy.Stat("redis.x.downstream_rq_rate_limited").ShouldBe(7);
    }

    [Fact]
    public void Fault_OfAnyRouteOfARequest_Happens()
    {
        using Sidecar proxy = Start(
            "{name: a, match: {key_prefix: 'a:'}, forward: {cluster: other}, policies: {faults: [{methods: [MSET, MSETNX, MGET], abort: {message: 'ERR a'}}]}}, "
            + "{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}, policies: {faults: [{methods: [MSET, DEL], abort: {message: 'ERR b'}}]}}, "
            + "{name: free, match: {key_prefix: 'f:'}, forward: {cluster: other}}, {name: all, forward: {cluster: main}}",
            out int port);
        using Call client = Call.To(port);
        client.Ask("MSET z 1 a:1 x").ShouldBe("-ERR a");
        client.Ask("MGET f:1 a:1").ShouldBe("-ERR a");
        client.Ask("MSETNX f:1 v a:1 v").ShouldBe("-ERR a");
        client.Ask("MSET z 1 b:1 x a:1 x").ShouldBe("-ERR b");
        client.Ask("DEL a:1 b:1").ShouldBe("-ERR b");
        client.Ask("EXISTS z a:1 b:1 f:1").ShouldBe(":0");
        proxy.Stat("redis.x.error_fault").ShouldBe(5);
    }

    [Theory]
    [InlineData("")]
    [InlineData(", lb_policy: RING_HASH")]
    public void Mirror_OfARoute_GetsTheKeysOfThatRoute(string policy)
    {
        using Peer third = Peer.Redis();
        using Sidecar proxy = Start(
            "{name: m, match: {key_prefix: 'm:'}, forward: {cluster: main, remove_key_prefix: true}, policies: {mirrors: [{cluster: third}]}}, "
            + "{name: n, match: {key_prefix: 'n:'}, forward: {cluster: main}}, {name: o, match: {key_prefix: 'o:'}, forward: {cluster: other}, policies: {mirrors: [{cluster: third}]}}, {name: all, forward: {cluster: other}}",
            out int port,
            "",
            Boot.Cluster("third", [third.Address], policy));
        using Call client = Call.To(port);
        client.Ask("MSET z 1 m:1 v").ShouldBe("+OK");
        client.Ask("MSET m:2 v z 1 m:3 v").ShouldBe("+OK");
        client.Ask("MSET n:1 v m:4 v").ShouldBe("+OK");
        client.Ask("MSET m:5 v o:6 v n:1 v").ShouldBe("+OK");
        client.Ask("MSETNX n:7 v m:7 v").ShouldBe(":1");
        client.Ask("MSET z 1 n:1 v").ShouldBe("+OK");
        using Call copies = Call.To(third.Port);
        Wait.Until(() => copies.Ask("EXISTS 1 2 3 4 5 o:6") == ":6", "a copy is missing");
        copies.Ask("DBSIZE").ShouldBe(":6");
        proxy.Stat("redis.x.downstream_rq_mirror_skipped").ShouldBe(1);
    }

    /// <summary>Routes that have their mirrors of the proxy are one to those, and a request that nobody could cut is copied whole.</summary>
    [Fact]
    public void Mirror_OfAllRoutes_GetsRequestsOfSeveralWhole()
    {
        using Sidecar proxy = Start(
            "{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}, policies: {faults: [{methods: [GET], delay: 0.1s}]}}, {name: all, forward: {cluster: main}}",
            out int port,
            "mirrors: [{cluster: other}]");
        using Call client = Call.To(port);
        client.Ask("MSETNX a:1 v z v").ShouldBe(":1");
        client.Ask("MSET z v a:2 v").ShouldBe("+OK");
        using Call copies = Call.To(_other.Port);
        Wait.Until(() => copies.Ask("EXISTS a:1 z a:2") == ":3", "a copy is missing");
        proxy.Stat("redis.x.downstream_rq_mirrored").ShouldBe(2);
    }

    public void Dispose()
    {
        _redis.Dispose();
        _other.Dispose();
        _folder.Dispose();
    }

    private Sidecar Start(string routes, out int port, string policies = "", params string[] clusters)
    {
        port = Ports.Free();
        string filter = Boot.XRpc(routes, $", policies: {{{policies}}}");
        return Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(filter))
            .With([Boot.Cluster("main", [_redis.Address]), Boot.Cluster("other", [_other.Address]), .. clusters]));
    }
}

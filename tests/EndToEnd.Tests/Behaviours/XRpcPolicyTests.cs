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

    public void Dispose()
    {
        _redis.Dispose();
        _other.Dispose();
        _folder.Dispose();
    }

    private Sidecar Start(string routes, out int port, string policies = "", params string[] clusters)
    {
        port = Ports.Free();
        string filter = "{name: x, typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: x, codec: redis, "
            + $"route_config: {{name: r, routes: [{routes}]}}, policies: {{{policies}}}}}}}";
        return Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(filter))
            .With([Boot.Cluster("main", [_redis.Address]), Boot.Cluster("other", [_other.Address]), .. clusters]));
    }
}

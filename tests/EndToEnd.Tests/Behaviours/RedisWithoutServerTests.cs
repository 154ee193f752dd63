using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Keys of a cluster without a usable server have a route, which says so: to the client, in its log and in the counters.</summary>
public sealed class RedisWithoutServerTests : IDisposable
{
    private const string Lacks = "-ERR MeshL4: no healthy upstream";

    private readonly Peer _redis = Peer.Redis();
    private readonly TempFolder _folder = new();

    [Theory]
    [InlineData("none", "UH", "")]
    [InlineData("none", "UH", ", lb_policy: RING_HASH")]
    [InlineData("missing", "NC", "")]
    public void Request_OfSuchKeys_HasItsRouteAndTheReason(string cluster, string flag, string policy)
    {
        using Sidecar proxy = Start(cluster, policy, out int port);
        (string Command, string Method)[] commands =
            [("GET n:1", "get"), ("MGET n:1 n:2", "mget"), ("EVAL x 1 n:1", "eval"), ("MSETNX n:1 1 n:2 2", "msetnx"), ("BLPOP n:1 1", "blpop"), ("SPUBLISH n:1 x", "spublish"), ("WATCH n:1", "watch")];
        using Call client = Call.To(port);
        foreach ((string command, _) in commands)
        {
            client.Ask(command).ShouldBe(Lacks, command);
        }

        Wait.Until(() => Lines().Length == commands.Length, "a line for each");
        Lines().ShouldBe(commands.Select(one => $"redis_{one.Method} route=n error {flag} {cluster}"));
        proxy.Stat("cluster.none.upstream_cx_none_healthy").ShouldBe(cluster == "none" ? commands.Length : 0);
    }

    /// <summary>As an error of one node stands in the places of its keys.</summary>
    [Fact]
    public void Part_OfSuchKeys_FailsByItself()
    {
        using Sidecar proxy = Start("none", "", out int port);
        using Call client = Call.To(port);
        client.Ask("SET a:1 v").ShouldBe("+OK");
        client.Ask("MGET n:1 a:1 n:2").ShouldBe("*3");
        new[] { client.ReadLine(), client.ReadLine(), client.ReadLine(), client.ReadLine() }.ShouldBe([Lacks + " in cluster none", "$1", "v", Lacks + " in cluster none"]);
        client.Ask("DEL n:1 a:1").ShouldBe(Lacks + " in cluster none (1 of 2 parts of DEL failed)");
        client.Ask("EXISTS a:1").ShouldBe(":0");
        client.Ask("MSETNX a:1 1 n:1 1").ShouldStartWith("-CROSSSLOT");
        Wait.Until(() => Lines().Length == 2, "a line for each that was sent");
        Lines().ShouldBe(["redis_mget route=n response UH -", "redis_del route=n error UH -"]);
    }

    [Fact]
    public void Transaction_SaysSo_AndIsDiscarded()
    {
        using Sidecar proxy = Start("none", "", out int port);
        using Call client = Call.To(port);
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET n:1 v").ShouldBe(Lacks);
        client.Ask("EXEC").ShouldStartWith("-EXECABORT");
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("SET a:1 v").ShouldBe("+QUEUED");
        client.Ask("SET n:1 v").ShouldBe(Lacks);
        client.Ask("EXEC").ShouldStartWith("-EXECABORT");
        client.Ask("EXISTS a:1").ShouldBe(":0");
        Wait.Until(() => Lines().Length == 2, "a line for each that failed");
        Lines().ShouldBe(["redis_set route=n error UH none", "redis_set route=n error UH none"]);
    }

    /// <summary>Nobody is blamed for what went nowhere, and of several clusters no single one.</summary>
    [Fact]
    public void Log_NamesTheClusterThatWasTried()
    {
        int port = Ports.Free();
        string filter = Boot.XRpc(
            "{name: no, match: {key_prefix: 'd:'}, forward: {cluster: one}, policies: {authorization: {deny: [{name: x}]}}}, "
            + "{name: late, match: {key_prefix: 'f:'}, forward: {cluster: one}, policies: {faults: [{abort: {message: ERR}}]}}, "
            + "{name: gone, match: {key_prefix: 'g:'}, forward: {cluster: gone}}, {name: all, forward: {cluster: one}}",
            $", policies: {{request_log: {{access_log: [{Log()}]}}}}");
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With([Boot.Cluster("one", [_redis.Address]), Boot.Cluster("gone", [$"127.0.0.1:{Ports.Free()}"])]), concurrency: 1);
        foreach (string command in (string[])["GET d:1", "GET f:1", "GET g:1", "MGET a:1 a:2", "MGET a:1 g:1"])
        {
            using Call client = Call.To(port);
            client.Ask(command).ShouldNotBeNull();
        }

        Wait.Until(() => Lines().Length == 5, "a line for each");
        Lines().ShouldBe(
        [
            "redis_get route=no error UAEX -", "redis_get route=late error FI -", "redis_get route=gone error UF gone", "redis_mget route=all response - one",
            "redis_mget route=all response UF -",
        ]);
    }

    public void Dispose()
    {
        _redis.Dispose();
        _folder.Dispose();
    }

    private Sidecar Start(string cluster, string policy, out int port)
    {
        port = Ports.Free();
        string filter = Boot.XRpc(
            $"{{name: n, match: {{key_prefix: 'n:'}}, forward: {{cluster: {cluster}}}, policies: {{request_log: {{access_log: [{Log()}]}}}}}}, {{name: all, forward: {{cluster: one}}}}");
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With([Boot.Cluster("one", [_redis.Address]), Boot.Cluster("none", [], policy)]));
    }

    private string Log() => "{name: f, typed_config: {'@type': type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, "
        + $"path: {_folder.At("requests.log")}, log_format: {{text_format_source: {{inline_string: \"%CONNECTION_TERMINATION_DETAILS% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%\\n\"}}}}}}}}";

    private string[] Lines() => File.Exists(_folder.At("requests.log")) ? File.ReadAllLines(_folder.At("requests.log")) : [];
}

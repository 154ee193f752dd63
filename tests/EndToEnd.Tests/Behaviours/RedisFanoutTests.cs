using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Commands without keys for all of them, beyond one cluster with a default route.</summary>
public sealed class RedisFanoutTests : IDisposable
{
    private const string NoFlush = "policies: {authorization: {deny: [{name: flush, methods: [FLUSHALL]}]}}";

    private readonly Peer[] _servers = [Peer.Redis(), Peer.Redis(), Peer.Redis()];

    [Theory]
    [InlineData("")]
    [InlineData(", remove_prefix: true")]
    public void WithoutADefaultRoute_TheOneClusterAnswers(string more)
    {
        using Sidecar proxy = Start(Boot.Redis($"routes: [{{prefix: 'a:', cluster: pair{more}}}, {{prefix: 'b:', cluster: pair{more}}}]"), out int port);
        for (int i = 0; i < 4; i++)
        {
            using Call client = Call.To(port);
            client.Ask("MSET a:1 v b:2 v").ShouldBe("+OK");
            foreach (bool line in (bool[])[true, false])
            {
                Ask(client, line, "DBSIZE").ShouldBe(":2");
                Ask(client, line, "KEYS", "none*").ShouldBe("*0");
                Ask(client, line, "SCAN", "0", "MATCH", "none*").ShouldBe("*2");
                new[] { client.ReadLine(), client.ReadLine(), client.ReadLine() }.ShouldBe(["$1", "0", "*0"]);
                Ask(client, line, "SCRIPT", "LOAD", "return").ShouldBe("$40");
                client.ReadLine()!.Length.ShouldBe(40);
            }

            client.Ask("FLUSHALL").ShouldBe("+OK");
            client.Ask("DBSIZE").ShouldBe(":0");
        }
    }

    /// <summary>An answer without the part of a cluster that fails would look whole.</summary>
    [Fact]
    public void ClusterWhoseServersAllFail_HasAPartThatFails()
    {
        string[] gone = [$"127.0.0.1:{Ports.Free()}", $"127.0.0.1:{Ports.Free()}"];
        using Sidecar proxy = Start(
            Boot.XRpc("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: gone}}, {name: all, forward: {cluster: one}}", ", upstream: {health_check_interval: 0.2s}"),
            out int port,
            Boot.Cluster("gone", gone, ", common_lb_config: {healthy_panic_threshold: {value: 0}}"));
        using Call client = Call.To(port);
        Wait.Until(
            () => client.Ask("GET a:k")!.StartsWith('-') && gone.All(at => proxy.Get("/clusters").Contains($"gone::{at}::health_flags::/failed_active_hc", StringComparison.Ordinal)),
            () => proxy.Get("/clusters"));
        client.Ask("SET k v").ShouldBe("+OK");
        client.Ask("FLUSHALL")!.ShouldContain("(1 of 2 parts of FLUSHALL failed)");
        client.Ask("GET k").ShouldBe("$-1");
        client.Ask("DBSIZE").ShouldStartWith("-");
    }

    /// <summary>Nor does one without any server drop out of what concerns all keys.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(", lb_policy: RING_HASH")]
    public void ClusterWithoutServers_HasAPartThatFails(string policy)
    {
        using Sidecar proxy = Start(
            Boot.XRpc("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: none}}, {name: b, match: {key_prefix: 'b:'}, forward: {cluster: none}}, {name: all, forward: {cluster: one}}"),
            out int port,
            Boot.Cluster("none", [], policy));
        using Call client = Call.To(port);
        const string Why = "-ERR MeshL4: no healthy upstream in cluster none";
        client.Ask("SET k v").ShouldBe("+OK");
        client.Ask("FLUSHALL").ShouldBe($"{Why} (1 of 2 parts of FLUSHALL failed)");
        client.Ask("GET k").ShouldBe("$-1");
        client.Ask("DBSIZE").ShouldBe($"{Why} (1 of 2 parts of DBSIZE failed)");
        client.Ask("KEYS *").ShouldBe($"{Why} (1 of 2 parts of KEYS failed)");
        client.Ask("SCAN 0 COUNT 100").ShouldBe("*2");
        client.ReadLine();
        string next = client.ReadLine()!;
        next.ShouldNotBe("0");
        client.ReadLine().ShouldBe("*0");
        client.Ask($"SCAN {next}").ShouldBe(Why);
        client.Ask("RANDOMKEY").ShouldBe($"{Why} (1 of 2 parts of RANDOMKEY failed)");
        client.Ask("WAIT 0 10").ShouldStartWith("-ERR MeshL4: WAIT goes to several nodes");
        client.Ask("PING").ShouldBe("+PONG");
    }

    [Fact]
    public void ClustersThatAllHaveNoServer_HaveNoAnswer()
    {
        using Sidecar proxy = Start(
            Boot.XRpc("{name: a, match: {key_prefix: 'a:'}, forward: {cluster: none}}, {name: all, forward: {cluster: empty}}"),
            out int port,
            Boot.Cluster("none", []), Boot.Cluster("empty", [], ", lb_policy: MAGLEV"));
        using Call client = Call.To(port);
        client.Ask("FLUSHALL").ShouldBe("-ERR MeshL4: no healthy upstream in cluster empty");
        client.Ask("DBSIZE").ShouldStartWith("-ERR MeshL4: no healthy upstream");
    }

    /// <summary>Routes that name their commands are all that there is for them: others have no route, be they for all keys or none.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(", key_prefix: 'a:'")]
    public void CommandsThatNoRouteNames_HaveNone(string more)
    {
        using Sidecar proxy = Start(Boot.XRpc($"{{name: few, match: {{methods: [GET, SET, EXISTS]{more}}}, forward: {{cluster: one}}}}"), out int port);
        using Call client = Call.To(port);
        client.Ask("SET a:1 v").ShouldBe("+OK");
        foreach (string command in (string[])["FLUSHALL", "DBSIZE", "KEYS *", "SCAN 0", "SELECT 1", "HELLO 3", "AUTH a"])
        {
            client.Ask(command).ShouldBe("-ERR MeshL4: no route for " + command.Split(' ')[0]);
        }

        // A transaction has the ordinary words for it.
        client.Ask("MULTI").ShouldBe("+OK");
        client.Ask("DBSIZE").ShouldBe("-ERR MeshL4: no route for DBSIZE");
        client.Ask("DISCARD").ShouldBe("+OK");
        client.Ask("EXISTS a:1").ShouldBe(":1");
    }

    /// <summary>What says who the client is, and where in the server, needs no default route where there is one server.</summary>
    [Fact]
    public void WithoutADefaultRoute_ClientsChooseVersionAndDatabase()
    {
        using Sidecar proxy = Start(Boot.Redis("routes: [{prefix: 'a:', cluster: one, remove_prefix: true}, {prefix: 'b:', cluster: one}]"), out int port);
        using Call client = Call.To(port);
        client.Ask("SET a:1 v").ShouldBe("+OK");
        client.Ask("SELECT 1").ShouldBe("+OK");
        client.Ask("EXISTS a:1").ShouldBe(":0");
        client.Ask("AUTH default any").ShouldBe("+OK");
        client.Ask("SELECT 0").ShouldBe("+OK");
        client.Send(RedisFront.Command("HELLO", "3"));
        while (client.ReadLine() is { } line && line != "modules")
        {
            line.ShouldNotStartWith("-");
        }

        client.ReadLine().ShouldBe("*0");
        client.Ask("GET a:none").ShouldBe("_");
        client.Ask("HELLO").ShouldBe("%7");
    }

    /// <summary>Where a route with a prefix leads to the same servers as the default route, that one's policies hold for what has no key.</summary>
    [Theory]
    [InlineData("one")]
    [InlineData("pair")]
    [InlineData("ring")]
    public void PoliciesOfTheDefaultRoute_HoldForWhatHasNoKey(string cluster)
    {
        using Sidecar proxy = Start(
            Boot.XRpc($"{{name: a, match: {{key_prefix: 'a:'}}, forward: {{cluster: {cluster}}}}}, {{name: all, forward: {{cluster: {cluster}}}, {NoFlush}}}"), out int port);
        using Call client = Call.To(port);
        client.Ask("SET k v").ShouldBe("+OK");
        client.Ask("FLUSHALL").ShouldStartWith("-");
        client.Ask("DBSIZE").ShouldBe(":1");
    }

    public void Dispose() => Array.ForEach(_servers, static server => server.Dispose());

    private static string? Ask(Call client, bool line, params string[] words)
    {
        if (line)
        {
            return client.Ask(string.Join(' ', words));
        }

        client.Send(RedisFront.Command(words));
        return client.ReadLine();
    }

    private Sidecar Start(string filter, out int port, params string[] clusters)
    {
        port = Ports.Free();
        string[] two = [_servers[1].Address, _servers[2].Address];
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With([
            Boot.Cluster("one", [_servers[0].Address]), Boot.Cluster("pair", two, ", lb_policy: ROUND_ROBIN"), Boot.Cluster("ring", two, ", lb_policy: RING_HASH"), .. clusters]));
    }
}

using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What ends a script or a pause does not wait behind it, although the clients share one connection to the server and nothing has a time-out.</summary>
public sealed class RedisBusyServerTests : IDisposable
{
    private readonly Peer[] _servers = [Peer.Redis("--busy-reply-threshold", "100"), Peer.Redis("--busy-reply-threshold", "100")];

    [Theory]
    [InlineData(false, null)]
    [InlineData(false, "SELECT 3")]
    [InlineData(true, null)]
    [InlineData(true, "SELECT 3")]
    public void ScriptKill_EndsTheScript_OfOneOrSeveralServers(bool ring, string? before)
    {
        using Sidecar proxy = Start(ring, out int port);
        using Call runs = Call.To(port);
        using Call kills = Call.To(port);
        kills.Ask(before ?? "PING")!.ShouldStartWith("+");
        kills.Ask("GET k").ShouldBe("$-1");
        runs.Send(RedisFront.Command("EVAL", "while true do end", "1", "k"));
        Wait.Until(() => _servers.Any(IsBusy), "no server is busy");
        kills.Ask("SCRIPT KILL").ShouldBe("+OK");
        runs.ReadLine()!.ShouldStartWith("-ERR Script killed by user");
        kills.Ask("GET k").ShouldBe("$-1");
        kills.Ask("SET k 1").ShouldBe("+OK");
        using Call looks = Call.To(port);
        looks.Ask("EXISTS k").ShouldBe(before is null ? ":1" : ":0");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("SELECT 3")]
    public void FunctionStats_TellWhatRuns(string? before)
    {
        using Sidecar proxy = Start(ring: false, out int port);
        using Call runs = Call.To(port);
        using Call looks = Call.To(port);
        looks.Ask(before ?? "PING")!.ShouldStartWith("+");
        looks.Ask("GET k").ShouldBe("$-1");
        runs.Send(RedisFront.Command("FUNCTION", "LOAD", "#!lua name=l\nredis.register_function('f', function() while true do end end)"));
        (runs.ReadLine(), runs.ReadLine()).ShouldBe(("$1", "l"));
        runs.Send("FCALL f 0\r\n");
        Wait.Until(() => IsBusy(_servers[0]), "the server is not busy");
        looks.Send("FUNCTION STATS\r\n");
        string[] told = [.. Enumerable.Range(0, 5).Select(_ => looks.ReadLine()!)];
        told.ShouldBe(["*4", "$14", "running_script", "*6", "$4"]);
        Run.Must("redis-cli", "-p", $"{_servers[0].Port}", "FUNCTION", "KILL");
        runs.ReadLine()!.ShouldStartWith("-");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Unpause_IsNotPaused(bool ring)
    {
        using Sidecar proxy = Start(ring, out int port);
        using Call writes = Call.To(port);
        using Call goesOn = Call.To(port);
        goesOn.Ask("CLIENT PAUSE 60000 WRITE").ShouldBe("+OK");
        writes.Send("SET k 1\r\n");
        Wait.Until(() => _servers.Any(static one => Run.Must("redis-cli", "-p", $"{one.Port}", "INFO", "clients").Contains("blocked_clients:1", StringComparison.Ordinal)), "nobody waits");
        goesOn.Ask("CLIENT UNPAUSE").ShouldBe("+OK");
        writes.ReadLine().ShouldBe("+OK");
    }

    public void Dispose()
    {
        foreach (Peer server in _servers)
        {
            Run.Must("redis-cli", "-p", $"{server.Port}", "SCRIPT", "KILL");
            server.Dispose();
        }
    }

    private static bool IsBusy(Peer server) => Run.Must("redis-cli", "-p", $"{server.Port}", "PING").StartsWith("BUSY", StringComparison.Ordinal);

    private Sidecar Start(bool ring, out int port)
    {
        port = Ports.Free();
        string filter = Boot.XRpc("{forward: {cluster: main}}", ", upstream: {connections_per_endpoint: 1}");
        string cluster = ring ? Boot.Cluster("main", [.. _servers.Select(static one => one.Address)], ", lb_policy: RING_HASH") : Boot.Cluster("main", [_servers[0].Address]);
        return Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(filter)).With(cluster), concurrency: 1);
    }
}

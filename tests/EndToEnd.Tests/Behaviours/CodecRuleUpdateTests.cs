using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>What an update of a <c>tcp_proxy</c> does to the clients of a codec that a rule put in its place.</summary>
public sealed class CodecRuleUpdateTests : IDisposable
{
    private readonly Peer _a = Peer.Redis();
    private readonly Peer _b = Peer.Redis();
    private readonly Backend _echoA = new("a");
    private readonly Backend _echoB = new("b");
    private readonly TempFolder _folder = new();
    private readonly int _port = Ports.Free();
    private readonly int _plain = Ports.Free();

    /// <summary>As of an XRpcProxy. That nobody is drained is told by a connection of a plain tcp_proxy, which the same update drains.</summary>
    [Fact]
    public void Clusters_ChangeUnderOpenConnections()
    {
        Call.Ask(_a.Port, "SET who a").ShouldBe("+OK");
        Call.Ask(_b.Port, "SET who bb").ShouldBe("+OK");
        using Sidecar proxy = Start("cluster: a", "echo-a");
        using Call idle = Call.To(_port), pinned = Call.To(_port), blocked = Call.To(_port), drained = Call.To(_plain);
        drained.Ask("x").ShouldBe("a x");
        idle.Ask("STRLEN who").ShouldBe(":1");
        pinned.Ask("WATCH who").ShouldBe("+OK");
        blocked.Send("BLPOP queue 0\r\n");
        Wait.Until(() => proxy.Stat("cluster.a.upstream_cx_total") == 3, "nobody is blocked");

        Update("2", "weighted_clusters: {clusters: [{name: b, weight: 1}]}", "echo-b");
        Wait.Until(() => idle.Ask("STRLEN who") == ":2", "the client stays where it was");
        drained.ReadLine().ShouldBeNull();
        idle.Ask("STRLEN who").ShouldBe(":2");
        pinned.Ask("PING").ShouldBe("+PONG");
        Call.Ask(_a.Port, "RPUSH queue x").ShouldBe(":1");
        blocked.ReadLine().ShouldBe("*2");
    }

    /// <summary>As a tcp_proxy would: its chain would be another.</summary>
    [Fact]
    public void RelayedConnections_ToOtherClusters_AreDrained()
    {
        using Sidecar proxy = Start("cluster: echo-a", "echo-a");
        using Call relayed = Call.To(_port);
        relayed.Ask("\u0001 x").ShouldBe("a \u0001 x");
        Update("2", "cluster: echo-b", "echo-a");
        Wait.Until(() => Call.Ask(_port, "\u0001 x") == "b \u0001 x", "the new cluster is never used");
        relayed.ReadLine().ShouldBeNull();
    }

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
        _echoA.Dispose();
        _echoB.Dispose();
        _folder.Dispose();
    }

    private Sidecar Start(string clusters, string plain)
    {
        Update("1", clusters, plain);
        return Sidecar.Start(
            new Boot().CodecRules($"{{port: {_port}, codec: redis}}").Files(listeners: _folder.At("lds.yaml"))
                .With(Boot.Cluster("a", [_a.Address]), Boot.Cluster("b", [_b.Address]), Boot.Cluster("echo-a", [_echoA.Address]), Boot.Cluster("echo-b", [_echoB.Address])),
            drainSeconds: 1);
    }

    private void Update(string version, string clusters, string plain) => _folder.Write(
        "lds.yaml",
        Boot.Resources(
            version,
            Boot.Listener("l", "127.0.0.1", _port, Boot.Chain(Boot.Tcp("", ", " + clusters))),
            Boot.Listener("plain", "127.0.0.1", _plain, Boot.Chain(Boot.Tcp(plain)))));
}

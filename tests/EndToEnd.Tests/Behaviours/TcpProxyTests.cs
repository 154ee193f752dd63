using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>tcp_proxy and its clusters.</summary>
public class TcpProxyTests
{
    [Fact]
    public void WeightedClusters_SplitConnectionsByWeight()
    {
        using Backend heavy = new("heavy");
        using Backend light = new("light");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(Boot.Tcp("", ", weighted_clusters: {clusters: [{name: heavy, weight: 80}, {name: light, weight: 20}]}")))
            .With(Boot.Cluster("heavy", [heavy.Address]), Boot.Cluster("light", [light.Address])));
        string?[] answers = [.. Enumerable.Range(0, 400).Select(_ => Call.Ask(port, "x"))];
        answers.ShouldAllBe(a => a == "heavy x" || a == "light x");
        heavy.Calls.ShouldBeInRange(270, 370); // 320 expected; six standard deviations are 48
        (heavy.Calls + light.Calls).ShouldBe(400);
    }

    [Fact]
    public void IdleTimeout_EndsASilentConnection()
    {
        using Backend backend = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(One(port, ", idle_timeout: 3s", [backend.Address]));
        using Call call = Call.To(port);
        call.Ask("hello").ShouldBe("b hello");
        call.Ends().ShouldBeTrue();
        proxy.Logged("flags=SI").ShouldContain("ended=proxy");
    }

    [Fact]
    public void MaxDownstreamConnectionDuration_EndsABusyConnection()
    {
        using Backend backend = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(One(port, ", max_downstream_connection_duration: 0.5s", [backend.Address]));
        using Call call = Call.To(port);
        Wait.Until(() => HasEnded(call), "still open");
        proxy.Logged("flags=DT").ShouldContain("details=max_downstream_connection_duration");
    }

    [Fact]
    public void MaxConnectAttempts_FirstRefuses_SecondServes()
    {
        using Backend backend = new("b");
        int port = Ports.Free(), dead = Ports.Free();
        using Sidecar proxy = Sidecar.Start(One(port, ", max_connect_attempts: 2", [$"127.0.0.1:{dead}", backend.Address]));
        Enumerable.Range(0, 8).Select(_ => Call.Ask(port, "x")).ShouldAllBe(answer => answer == "b x");
        proxy.Logged("attempts=2").ShouldContain($"host={backend.Address} ");
    }

    [Fact]
    public void MaxConnectAttempts_AllRefuse_EndsWithURX()
    {
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(One(port, ", max_connect_attempts: 2", [$"127.0.0.1:{Ports.Free()}", $"127.0.0.1:{Ports.Free()}"]));
        Call.Ask(port, "x").ShouldBeNull();
        proxy.Logged("URX").ShouldContain("attempts=2 ");
        proxy.Stat("cluster.c.upstream_cx_connect_fail").ShouldBe(2);
    }

    [Fact]
    public void StrictDns_Localhost_IsResolved()
    {
        using Backend backend = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c")))
            .With(Boot.Cluster("c", [$"localhost:{backend.Port}"], ", dns_lookup_family: V4_ONLY", "STRICT_DNS")));
        Wait.Until(() => Call.Ask(port, "x") == "b x", () => proxy.Log + proxy.Get("/clusters"));
    }

    [Theory]
    [InlineData("ROUND_ROBIN", 10, 10)]
    [InlineData("LEAST_REQUEST", 5, 15)]
    public void LoadBalancing_SpreadsOverEndpoints(string policy, int least, int most)
    {
        using Backend a = new("a");
        using Backend b = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c"))).With(Boot.Cluster("c", [a.Address, b.Address], $", lb_policy: {policy}")), concurrency: 1);
        List<Call> open = [];
        for (int i = 0; i < 20; i++)
        {
            open.Add(Call.To(port));
            open[^1].Ask("x").ShouldNotBeNull();
        }

        a.Calls.ShouldBeInRange(least, most);
        (a.Calls + b.Calls).ShouldBe(20);
        open.ForEach(call => call.Dispose());
    }

    /// <summary>Connections that stay open tell chance from the other policies: in turn, or to the less loaded, no endpoint gets ahead by three.</summary>
    [Theory]
    [InlineData("lb_policy: RANDOM")]
    [InlineData("load_balancing_policy: {policies: [{typed_extension_config: {name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.load_balancing_policies.random.v3.Random}}}]}")]
    public void LoadBalancing_AtRandom_GivesBothTheirShareInNoOrder(string policy)
    {
        using Backend a = new("a");
        using Backend b = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c"))).With(Boot.Cluster("c", [a.Address, b.Address], ", " + policy)), concurrency: 1);
        List<Call> open = [];
        int ahead = 0, furthest = 0;
        for (int i = 0; i < 200; i++)
        {
            open.Add(Call.To(port));
            ahead += open[^1].Ask("x").ShouldNotBeNull().StartsWith('a') ? 1 : -1;
            furthest = Math.Max(furthest, Math.Abs(ahead));
        }

        furthest.ShouldBeGreaterThan(2);
        a.Calls.ShouldBeInRange(40, 160); // eight standard deviations
        (a.Calls + b.Calls).ShouldBe(200);
        open.ForEach(call => call.Dispose());
    }

    [Fact]
    public void CircuitBreaker_MaxConnections_RefusesWithUO()
    {
        using Backend backend = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c")))
            .With(Boot.Cluster("c", [backend.Address], ", circuit_breakers: {thresholds: [{max_connections: 1}]}")));
        using Call first = Call.To(port);
        first.Ask("x").ShouldBe("b x");
        Call.Ask(port, "x").ShouldBeNull();
        proxy.Logged("flags=UO").ShouldContain("details=upstream_overflow");
        proxy.Stat("cluster.c.upstream_cx_overflow").ShouldBe(1);
        first.Ask("y").ShouldBe("b y");
        first.Dispose();
        Wait.Until(() => Call.Ask(port, "z") == "b z", "the place was not given back");
    }

    private static bool HasEnded(Call call)
    {
        try
        {
            return call.Ask("x") is null;
        }
        catch (IOException)
        {
            return true;
        }
    }

    private static Boot One(int port, string more, string[] endpoints) =>
        new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c", more))).With(Boot.Cluster("c", endpoints));
}

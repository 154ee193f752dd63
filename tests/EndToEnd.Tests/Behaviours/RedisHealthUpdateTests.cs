using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>How often servers are asked for signs of life is what the running configuration says, for the clients that are there too.</summary>
public sealed class RedisHealthUpdateTests : IDisposable
{
    private readonly Peer _server = Peer.Redis();
    private readonly TempFolder _folder = new();
    private readonly int _port = Ports.Free();
    private readonly int _other = Ports.Free();
    private int _version;

    public void Dispose()
    {
        _server.Signal("CONT");
        _server.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void IntervalThatAnUpdateBrings_HoldsForAClientThatIsThere()
    {
        using Sidecar proxy = Start("", "");
        using Call client = Call.To(_port);
        client.Ask("SET a 1").ShouldBe("+OK");
        Listen("health_check_interval: 0.2s", "");
        _server.Signal("STOP");
        Wait.Until(() => Flags(proxy) == "/failed_active_hc", () => proxy.Get("/clusters"));
    }

    /// <summary>It has been silent ever since: only the word of checks that are no longer made is taken back.</summary>
    [Fact]
    public void IntervalThatAnUpdateTakesAway_TakesItsVerdictsWithIt()
    {
        using Sidecar proxy = Start("health_check_interval: 0.2s", "");
        using Call client = Call.To(_port);
        client.Ask("SET a 1").ShouldBe("+OK");
        _server.Signal("STOP");
        Wait.Until(() => Flags(proxy) == "/failed_active_hc", () => proxy.Get("/clusters"));
        Listen("", "");
        Wait.Until(() => Flags(proxy) == "healthy", () => proxy.Get("/clusters"));
    }

    /// <summary>The client came by the one that asks hardly ever; nobody uses the other.</summary>
    [Fact]
    public void OfSeveralProxies_TheSmallestIntervalHolds_WhicheverIsUsed()
    {
        using Sidecar proxy = Start("health_check_interval: 3600s", "health_check_interval: 0.2s");
        using Call client = Call.To(_port);
        client.Ask("SET a 1").ShouldBe("+OK");
        _server.Signal("STOP");
        Wait.Until(() => Flags(proxy) == "/failed_active_hc", () => proxy.Get("/clusters"));
    }

    private Sidecar Start(string upstream, string others)
    {
        Listen(upstream, others);
        return Sidecar.Start(new Boot().With(Boot.Cluster("main", [_server.Address])).Files(listeners: _folder.At("lds.yaml")), concurrency: 1);
    }

    private void Listen(string upstream, string others) => _folder.Write("lds.yaml", Boot.Resources(
        $"{++_version}",
        Boot.Listener("l", "127.0.0.1", _port, Boot.Chain(Filter("x", upstream))),
        Boot.Listener("o", "127.0.0.1", _other, Boot.Chain(Filter("y", others)))));

    private string Flags(Sidecar proxy) => proxy.HealthFlags("main", _server.Address);

    private static string Filter(string prefix, string upstream) =>
        $"{{name: {prefix}, typed_config: {{'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: {prefix}, codec: redis, "
        + $"route_config: {{name: r, routes: [{{forward: {{cluster: main}}}}]}}, upstream: {{{upstream}}}}}}}";
}

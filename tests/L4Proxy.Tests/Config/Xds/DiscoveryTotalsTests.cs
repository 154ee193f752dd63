using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Several streams show one set of figures.</summary>
public sealed class DiscoveryTotalsTests
{
    private readonly Figures _figures = new();

    [Fact]
    public void Figures_OfSeveralStreams_AreSums()
    {
        DiscoveryMetrics clusters = Stream(TypeUrls.Cluster, "7"), endpoints = Stream(TypeUrls.Endpoints, "8"), others = Stream(TypeUrls.Endpoints, "9");
        endpoints.FetchTimedOut(TypeUrls.Endpoints);
        Collect((clusters, false), (endpoints, false), (others, false));
        _figures.Values["control_plane.connection_attempts"].ShouldBe(3);
        _figures.Values["cluster_manager.cds.update_success"].ShouldBe(1);
        _figures.Values["cluster_manager.eds.update_success"].ShouldBe(2);
        _figures.Values["cluster_manager.eds.init_fetch_timeout"].ShouldBe(1);
        _figures.Values[".meshl4_control_plane_info"].ShouldBe(1);
        _figures.Names.ShouldBeUnique();
    }

    [Fact]
    public void Connected_IsSaid_WhenNoStreamWaitsForItsServer()
    {
        Collect((Stream(TypeUrls.Cluster, "1"), false), (new DiscoveryMetrics(), true));
        _figures.Values["control_plane.connected_state"].ShouldBe(0, "something is wanted of the second");
        Collect((Stream(TypeUrls.Cluster, "1"), false), (new DiscoveryMetrics(), false));
        _figures.Values["control_plane.connected_state"].ShouldBe(1, "nothing is");
    }

    [Fact]
    public void Version_ChangesWithThatOfEachStream_AndOfOneIsItsOwn()
    {
        var seen = new List<long>();
        foreach ((string first, string second) in (ReadOnlySpan<(string, string)>)[("1", "2"), ("1", "3"), ("2", "1"), ("1", "1")])
        {
            Collect((Stream(TypeUrls.Endpoints, first), false), (Stream(TypeUrls.Endpoints, second), false));
            seen.Add(_figures.Values["cluster_manager.eds.version"]);
        }

        seen.ShouldBeUnique();
        long alone = Figures.Of(Stream(TypeUrls.Endpoints, "1")).Values["cluster_manager.eds.version"];
        Collect((Stream(TypeUrls.Endpoints, "1"), false), (new DiscoveryMetrics(), false));
        _figures.Values["cluster_manager.eds.version"].ShouldBe(alone);
    }

    private static DiscoveryMetrics Stream(string typeUrl, string version)
    {
        var metrics = new DiscoveryMetrics();
        metrics.Attempt();
        metrics.Connected("plane");
        metrics.Updated(new DiscoveryUpdate { TypeUrl = typeUrl, Nonce = "n", Version = version, Resources = [] }, null);
        return metrics;
    }

    private void Collect(params (DiscoveryMetrics Metrics, bool IsAwaited)[] streams)
    {
        var totals = new DiscoveryTotals();
        Array.ForEach(streams, one => one.Metrics.AddTo(totals, one.IsAwaited));
        totals.Collect(_figures);
    }
}

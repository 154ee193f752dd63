using System.Net;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>A cluster that waits for names or endpoints holds nobody else up, and its version before serves on.</summary>
public sealed class WarmingTests : IDisposable
{
    private readonly TaskCompletionSource<IPAddress[]> _answer = new();
    private readonly SnapshotStore _store = new();
    private readonly SnapshotBuilder _builder;
    private readonly ResourceSink _sink;
    private readonly DnsResolution _names;

    public WarmingTests()
    {
        _names = new DnsResolution((_, _) => _answer.Task, () => _sink!.Refresh(), static (_, _) => { });
        _builder = new SnapshotBuilder(new ClusterStateRegistry(), _names);
        _sink = new ResourceSink(
            _builder, new ConfigLedger(TimeProvider.System), _store, () => _names.Follow(_builder.Clusters.Select(cluster => cluster.Template)), static (_, _) => { });
    }

    public void Dispose() => _names.Dispose();

    [Fact]
    public async Task NameWithoutAnswer_HoldsUpItsClusterAlone()
    {
        Deliver(Static("a", "10.0.0.1"), Static("b", "10.0.0.2")).Accepted.ShouldBeTrue();
        Deliver(Named("a"), Named("new"), Static("b", "10.0.0.3")).Accepted.ShouldBeTrue();
        Endpoint("a").ShouldBe("10.0.0.1:80", "the version before serves on");
        Endpoint("b").ShouldBe("10.0.0.3:80");
        _store.Current.Clusters.ShouldNotContainKey("new");
        _builder.Warming.ShouldBe(["a", "new"], ignoreOrder: true);

        _answer.SetResult([IPAddress.Parse("10.9.9.9")]);
        await Patience.UntilAsync(() => _store.Current.Clusters.ContainsKey("new"), "the cluster is warm");
        Endpoint("a").ShouldBe("10.9.9.9:80");
        Endpoint("new").ShouldBe("10.9.9.9:80");
    }

    [Fact]
    public void EdsCluster_ServesWhenItsEndpointsCome_EvenNone()
    {
        Deliver(Eds("a"), Eds("b"), Eds("c"));
        _store.Current.Clusters.ShouldBeEmpty();
        var some = new ClusterLoadAssignment { ClusterName = "a", Endpoints = { new LocalityLbEndpoints { LbEndpoints = { Address("10.0.0.1") } } } };
        _sink.Deliver(new ResourceUpdate(TypeUrls.Endpoints, "1", "ads", OfferedResource.Of([some, new ClusterLoadAssignment { ClusterName = "b" }]), new IssueCollector()));
        _store.Current.Clusters.Keys.ShouldBe(["a", "b"], ignoreOrder: true);
        _sink.Refresh(builder => builder.GiveUp("ads", ["c"]));
        _store.Current.Clusters["c"].Endpoints.ShouldBeEmpty();
        _builder.Warming.ShouldBeEmpty();
    }

    /// <summary>Rings and tables take a loop milliseconds: where one is in use, an update lays its successor out.</summary>
    [Fact]
    public void ClusterInUse_IsReplacedByOneThatIsLaidOut_AnUnusedOneIsNot()
    {
        Deliver(Static("used", "10.0.0.1"), Static("unused", "10.0.0.1"));
        LoadBalancer.Pick(_store.Current.Clusters["used"], new PickContext()).ShouldNotBeNull();
        Deliver(Static("used", "10.0.0.2"), Static("unused", "10.0.0.2"));
        ClusterSnapshot used = _store.Current.Clusters["used"];
        used.EndpointSet().Of(used).ShouldNotBeNull().Pools[0].Members[0].Address.ToString().ShouldBe("10.0.0.2:80");
        ClusterSnapshot unused = _store.Current.Clusters["unused"];
        unused.EndpointSet().Of(unused).ShouldBeNull();
    }

    private UpdateVerdict Deliver(params Cluster[] clusters) => _sink.Deliver(new ResourceUpdate(TypeUrls.Cluster, "1", "ads", OfferedResource.Of(clusters), new IssueCollector()));

    private string Endpoint(string cluster) => _store.Current.Clusters[cluster].Endpoints.ShouldHaveSingleItem().Address.ToString()!;

    private static Cluster Static(string name, string address) => new() { Name = name, LoadAssignment = Assignment(name, address) };

    private static Cluster Named(string name)
        => new() { Name = name, Type = Cluster.Types.DiscoveryType.StrictDns, LoadAssignment = Assignment(name, "never.example") };

    private static Cluster Eds(string name) => new()
    {
        Name = name,
        Type = Cluster.Types.DiscoveryType.Eds,
        EdsClusterConfig = new Cluster.Types.EdsClusterConfig { EdsConfig = new Core.ConfigSource { Ads = new Core.AggregatedConfigSource() } },
    };

    private static ClusterLoadAssignment Assignment(string name, string address)
        => new() { ClusterName = name, Endpoints = { new LocalityLbEndpoints { LbEndpoints = { Address(address) } } } };

    private static LbEndpoint Address(string address)
        => new() { Endpoint = new Endpoint { Address = new Core.Address { SocketAddress = new Core.SocketAddress { Address = address, PortValue = 80 } } } };
}

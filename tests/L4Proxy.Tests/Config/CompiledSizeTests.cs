using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Protos.Istio.Networking.Nds.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Resolving;
using Shouldly;
using Xunit;
using static MeshL4.L4Proxy.Tests.Config.ResourceMemoryTests;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Counts bytes of the whole heap, so that no other test may run beside it.</summary>
[CollectionDefinition(nameof(CompiledSizeTests), DisableParallelization = true)]
[Collection(nameof(CompiledSizeTests))]
public sealed class CompiledSizeTests
{
    private const int Many = 1000;

    [Fact]
    public void Of_IsWithinHalfOfWhatTheCollectorCounts()
    {
        NewSink(new SnapshotStore()).Deliver(Clusters(1)); // what the first one brings along
        var store = new SnapshotStore();
        ResourceSink sink = NewSink(store);
        ResourceUpdate clusters = Clusters(Many);
        var endpoints = new ResourceUpdate(TypeUrls.Endpoints, "1", "ads", OfferedResource.Of(Enumerable.Range(0, Many).Select(static n => Assignment(n, 10))), new IssueCollector());
        _ = clusters.Resources.Concat(endpoints.Resources).Sum(static one => one.Wire.Length + (one.Fingerprint == 0 ? 1 : 0));
        long before = GC.GetTotalMemory(forceFullCollection: true);
        sink.Deliver(clusters);
        sink.Deliver(endpoints);
        long held = GC.GetTotalMemory(forceFullCollection: true) - before;
        GC.KeepAlive(clusters);
        GC.KeepAlive(endpoints);
        CompiledSize.Of(store.Current).Values.Sum().ShouldBeInRange(held / 2, held * 2);
        GC.KeepAlive(sink);
    }

    [Fact]
    public void Of_NamesAndTheirIndex_IsWithinHalfOfWhatTheCollectorCounts()
    {
        var table = new NameTable();
        for (int i = 0; i < 10 * Many; i++)
        {
            string name = $"service-{i}";
            table.Table[$"{name}.ns.svc.cluster.local"] = new NameTable.Types.NameInfo { Ips = { $"10.1.{i / 250}.{i % 250}" }, Registry = "Kubernetes", Shortname = name, Namespace = "ns" };
        }

        long before = GC.GetTotalMemory(forceFullCollection: true);
        NameTableSnapshot names = NameTableDecoder.Decode(table, new DecodeScope(new IssueCollector(), ""));
        var index = new NameIndex(names, new NameContext("svc.cluster.local", "ns", "ns.svc.cluster.local"));
        long held = GC.GetTotalMemory(forceFullCollection: true) - before;
        CompiledSize.Of(new ProxySnapshot { Names = names })[TypeUrls.NameTable].ShouldBeInRange(held / 2, held * 2);
        GC.KeepAlive(index);
        GC.KeepAlive(table);
    }

    [Fact]
    public void EveryAssignmentSentAgain_WithOneChange_HoldsLittleMoreThanBefore()
    {
        var loaded = new ResourceMemoryTests();
        loaded.Load(Many);
        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int n = 0; n < Many; n++)
        {
            ClusterLoadAssignment changed = Assignment(n, 10);
            changed.Endpoints[0].LbEndpoints[9].Endpoint.Address.SocketAddress.PortValue = 9000;
            loaded.Deliver(TypeUrls.Endpoints, changed);
        }

        // Each stands in a compressed block of its own now; its nine other addresses would take 650 bytes.
        ((GC.GetTotalMemory(forceFullCollection: true) - before) / Many).ShouldBeLessThan(500);
        GC.KeepAlive(loaded);
    }

    private static ResourceUpdate Clusters(int count)
        => new(TypeUrls.Cluster, "1", "ads", OfferedResource.Of(Enumerable.Range(0, count).Select(Cluster)), new IssueCollector());

    private static ResourceSink NewSink(SnapshotStore store)
        => new(new SnapshotBuilder(new ClusterStateRegistry(), new NoNames()), new ConfigLedger(TimeProvider.System), store, static () => { }, static (_, _) => { });
}

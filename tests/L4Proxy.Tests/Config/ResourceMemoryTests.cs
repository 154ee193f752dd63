using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What resources hold, what is kept to show them, and that an update compiles what it changes and nothing else.</summary>
public sealed class ResourceMemoryTests
{
    private const int Many = 1000;
    private readonly SnapshotStore _store = new();
    private readonly SnapshotBuilder _builder;
    private readonly ConfigLedger _ledger = new(TimeProvider.System);
    private readonly ResourceSink _sink;

    public ResourceMemoryTests()
    {
        _builder = new SnapshotBuilder(new ClusterStateRegistry(), new NoNames());
        _sink = new ResourceSink(_builder, _ledger, _store, static () => { }, static (_, _) => { });
    }

    [Fact]
    public void StoredResources_GiveBackWhatWasSent_InLessThanHalf()
    {
        ClusterLoadAssignment[] sent = [.. Enumerable.Range(0, Many).Select(static n => Assignment(n, 10))];
        IReadOnlyList<StoredResource> stored = StoredResource.Keep(TypeUrls.Endpoints, OfferedResource.Of(sent));
        stored.Select(static one => one.Read()).ShouldBe(sent);
        StoredResource.HeldBytes(stored).ShouldBeLessThan(stored.Sum(static one => one.WireBytes) / 2);
    }

    [Fact]
    public void StoredResource_LongerThanABlock_AndAnEmptyOne_GiveBackWhatWasSent()
    {
        ClusterLoadAssignment[] sent = [Assignment(1, 5000), new(), Assignment(2, 1)];
        StoredResource.Keep(TypeUrls.Endpoints, OfferedResource.Of(sent)).Select(static one => one.Read()).ShouldBe(sent);
    }

    [Fact]
    public void OneChangedAssignment_ChangesOneClusterOfTheSnapshot()
    {
        Load(Many);
        ProxySnapshot before = _store.Current;
        Deliver(TypeUrls.Endpoints, Assignment(7, 3));
        _store.Current.Clusters.Where(now => !ReferenceEquals(now.Value, before.Clusters[now.Key])).Select(static now => now.Key).ShouldBe([Name(7)]);
        _store.Current.Clusters[Name(7)].Endpoints.Length.ShouldBe(3);
        _store.Current.Clusters[Name(7)].State.Endpoints.Count.ShouldBe(3, "state of endpoints that left is given back");
        before.Clusters[Name(7)].Endpoints.Length.ShouldBe(10, "a snapshot does not change");
    }

    /// <summary>Garbage of updates is what the loops stand still for now and then.</summary>
    [Fact]
    public void OneChangedAssignment_AllocatesLittle_HoweverManyClustersThereAre()
    {
        long few = AllocatedPerChange(100);
        long many = AllocatedPerChange(4000);
        few.ShouldBeLessThan(18 * 1024);

        // The path to a leaf of the tree of clusters grows with the logarithm of their number.
        many.ShouldBeLessThan(few + 1024);
    }

    /// <summary>Ten endpoints have a hundred fields, and of each it is asked whether there is something to tell.</summary>
    [Fact]
    public void ReadingAssignment_AllocatesLittleBesideItsMessage()
    {
        byte[] wire = Google.Protobuf.MessageExtensions.ToByteArray(Assignment(1, 10));
        var issues = new IssueCollector();
        long parsed = Allocated(() => ClusterLoadAssignment.Parser.ParseFrom(wire));
        long read = Allocated(() => ConfigMessageReader.Read<ClusterLoadAssignment>(wire, ConfigFormat.Binary, "ads", ConfigSourceKind.Xds, issues));
        issues.Issues.ShouldBeEmpty();
        (read - parsed).ShouldBeLessThan(3 * 1024);
    }

    [Fact]
    public void EqualResource_SentAgain_KeepsTheCompiledObject()
    {
        Load(10);
        ProxySnapshot before = _store.Current;
        Deliver(TypeUrls.Endpoints, [.. Enumerable.Range(0, 10).Select(static n => Assignment(n, 10))]);
        Deliver(TypeUrls.Cluster, [.. Enumerable.Range(0, 10).Select(Cluster)]);
        _store.Current.Clusters.ShouldAllBe(now => ReferenceEquals(now.Value, before.Clusters[now.Key]));
    }

    [Fact]
    public void ClusterThatGoes_LeavesTheSnapshot_AndComesBackWithItsEndpoints()
    {
        Load(3);
        Deliver(TypeUrls.Cluster, Cluster(0), Cluster(2));
        _store.Current.Clusters.Keys.ShouldBe([Name(0), Name(2)], ignoreOrder: true);
        Deliver(TypeUrls.Cluster, Cluster(0), Cluster(1), Cluster(2));
        _store.Current.Clusters[Name(1)].Endpoints.Length.ShouldBe(10);
    }

    [Fact]
    public void EndpointsUnderAnotherName_ReachEveryClusterThatAsksForThem()
    {
        Cluster[] users = [Cluster(1), Cluster(2)];
        users[1].EdsClusterConfig.ServiceName = Name(1);
        Deliver(TypeUrls.Cluster, users);
        Deliver(TypeUrls.Endpoints, Assignment(1, 4));
        _store.Current.Clusters.Values.ShouldAllBe(static cluster => cluster.Endpoints.Length == 4);
        users[1].EdsClusterConfig.ServiceName = Name(2);
        Deliver(TypeUrls.Cluster, users);
        Deliver(TypeUrls.Endpoints, Assignment(2, 2));
        Deliver(TypeUrls.Endpoints, Assignment(1, 5));
        _store.Current.Clusters[Name(1)].Endpoints.Length.ShouldBe(5);
        _store.Current.Clusters[Name(2)].Endpoints.Length.ShouldBe(2);
    }

    [Fact]
    public void Memory_TellsEveryType()
    {
        Load(100);
        var memory = _ledger.Memory(CompiledSize.Of(_store.Current)).ToDictionary(static one => one.TypeUrl);
        memory[TypeUrls.Cluster].Count.ShouldBe(100);
        memory[TypeUrls.Endpoints].Count.ShouldBe(100);
        memory.Values.ShouldAllBe(static one => one.Wire > 0 && one.Stored > 0 && one.Stored < one.Wire && one.Compiled > 0);
    }

    /// <summary>Live state keeps the address it was made with; what configures it must not bring another copy with each update.</summary>
    [Fact]
    public void OneChangedEndpoint_LeavesTheObjectsOfTheOthers()
    {
        Load(1);
        EndpointSnapshot[] before = [.. _store.Current.Clusters[Name(0)].Endpoints];
        ClusterLoadAssignment changed = Assignment(0, 10);
        changed.Endpoints[0].LbEndpoints[4].Endpoint.Address.SocketAddress.PortValue = 9000;
        changed.Endpoints[0].LbEndpoints.RemoveAt(7);
        Deliver(TypeUrls.Endpoints, changed);
        EndpointSnapshot[] after = [.. _store.Current.Clusters[Name(0)].Endpoints];
        after.Select(now => Array.FindIndex(before, one => ReferenceEquals(one, now))).ShouldBe([0, 1, 2, 3, -1, 5, 6, 8, 9]);
        after.Select(now => Array.FindIndex(before, one => ReferenceEquals(one.Address, now.Address))).ShouldBe([0, 1, 2, 3, -1, 5, 6, 8, 9]);
        ((IPEndPoint)after[4].Address).Port.ShouldBe(9000);
    }

    [Fact]
    public void EndpointWithAnotherWeight_IsAnotherObject_AtTheSameAddress()
    {
        Load(1);
        EndpointSnapshot before = _store.Current.Clusters[Name(0)].Endpoints[3];
        ClusterLoadAssignment changed = Assignment(0, 10);
        changed.Endpoints[0].LbEndpoints[3].LoadBalancingWeight = 7;
        Deliver(TypeUrls.Endpoints, changed);
        EndpointSnapshot after = _store.Current.Clusters[Name(0)].Endpoints[3];
        after.Weight.ShouldBe(7u);
        after.State.ShouldBeSameAs(before.State);
    }

    private static long Allocated(Func<object?> read)
    {
        const int Times = 100;
        _ = read();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Times; i++)
        {
            _ = read();
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before) / Times;
    }

    private static long AllocatedPerChange(int clusters)
    {
        const int WarmUp = 50, Changes = 200;
        var loaded = new ResourceMemoryTests();
        loaded.Load(clusters);
        ResourceUpdate[] changes = [.. Enumerable.Range(0, WarmUp + Changes).Select(n => new ResourceUpdate(
            TypeUrls.Endpoints, "2", "ads", OfferedResource.Of([Assignment(n * 31 % clusters, 11 + (n % 7))]), new IssueCollector()))];
        _ = changes.Sum(static change => change.Resources[0].Wire.Length);
        Array.ForEach(changes[..WarmUp], change => loaded._sink.Deliver(change));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = WarmUp; i < changes.Length; i++)
        {
            loaded._sink.Deliver(changes[i]);
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before) / Changes;
    }

    internal void Load(int count)
    {
        Deliver(TypeUrls.Cluster, [.. Enumerable.Range(0, count).Select(Cluster)]);
        Deliver(TypeUrls.Endpoints, [.. Enumerable.Range(0, count).Select(static n => Assignment(n, 10))]);
        _store.Current.Clusters.Count.ShouldBe(count);
    }

    internal void Deliver(string type, params Google.Protobuf.IMessage[] messages)
        => _sink.Deliver(new ResourceUpdate(type, "1", "ads", OfferedResource.Of(messages), new IssueCollector())).Accepted.ShouldBeTrue();

    internal static string Name(int number) => $"outbound|80||service-{number:0000}.shop.svc.cluster.local";

    internal static Cluster Cluster(int number) => new()
    {
        Name = Name(number),
        Type = L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster.Types.DiscoveryType.Eds,
        EdsClusterConfig = new() { EdsConfig = new Core.ConfigSource { Ads = new() } },
    };

    internal static ClusterLoadAssignment Assignment(int number, int endpoints) => new()
    {
        ClusterName = Name(number),
        Endpoints = { new LocalityLbEndpoints { LbEndpoints = { Enumerable.Range(0, endpoints).Select(i => Endpoint(number, i)) } } },
    };

    private static LbEndpoint Endpoint(int number, int index) => new()
    {
        Endpoint = new Endpoint
        {
            Address = new Core.Address
            {
                SocketAddress = new Core.SocketAddress { Address = $"10.{number >> 8}.{number & 255}.{index & 255}", PortValue = (uint)(8000 + (index >> 8)) },
            },
        },
    };

    internal sealed class NoNames : IResolvedNames
    {
        public System.Collections.Immutable.ImmutableArray<IPAddress> Lookup(string host, DnsLookupFamily family) => [];

        public bool IsSettled(string host, DnsLookupFamily family) => true;
    }
}

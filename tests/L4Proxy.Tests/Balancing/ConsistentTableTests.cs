using System.Net;
using System.Text;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Balancing;

public class ConsistentTableTests
{
    private const int Keys = 20_000;

    public static TheoryData<int, int> Policies => new()
    {
        { (int)LoadBalancingPolicy.RingHash, HashRing.DefaultSize },
        { (int)LoadBalancingPolicy.Maglev, MaglevTable.DefaultSize },
    };

    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_OneNodeLeaves_OnlyItsKeysMove(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 10).Select(port => Node(port))];
        int[] before = Spread(Cluster(policy, size, nodes));
        int[] after = Spread(Cluster(policy, size, [.. nodes.Where(node => PortOf(node) != 4)]));
        int moved = Enumerable.Range(0, Keys).Count(i => before[i] != after[i] && before[i] != 4);
        moved.ShouldBeLessThan(policy == (int)LoadBalancingPolicy.RingHash ? 1 : Keys / 20);
        after.ShouldNotContain(4);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_NodesInAnotherOrder_KeysStay(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 7).Select(port => Node(port))];
        Spread(Cluster(policy, size, nodes)).ShouldBe(Spread(Cluster(policy, size, [.. nodes.Reverse()])));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_Weights_ShareTheKeys(int policy, int size)
    {
        Dictionary<int, int> counts = Spread(Cluster(policy, size, Node(1, 1), Node(2, 1), Node(3, 2))).CountBy(port => port).ToDictionary();
        counts[3].ShouldBeInRange((int)(Keys * 0.43), (int)(Keys * 0.57));
        counts[1].ShouldBeInRange((int)(Keys * 0.19), (int)(Keys * 0.31));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_TriedNode_GoesElsewhere(int policy, int size)
    {
        EndpointSnapshot[] nodes = [Node(1), Node(2)];
        ClusterSnapshot cluster = Cluster(policy, size, nodes);
        EndpointSnapshot first = LoadBalancer.Pick(cluster, new PickContext { Hash = 7 })!;
        LoadBalancer.Pick(cluster, new PickContext { Hash = 7, Tried = new[] { first } }).ShouldNotBe(first);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_NodeFailsItsChecks_ItsKeysAloneMove_ToAllOthers_AndComeBack(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 10).Select(port => Node(port))];
        ClusterSnapshot cluster = Cluster(policy, size, nodes);
        int[] before = Spread(cluster);
        cluster.State.TellHealth(nodes[3].State, alive: false);
        int[] during = Spread(cluster);
        Enumerable.Range(0, Keys).ShouldAllBe(i => before[i] == 4 || during[i] == before[i]);
        during.ShouldNotContain(4);
        Enumerable.Range(0, Keys).Where(i => before[i] == 4).Select(i => during[i]).Distinct().Count().ShouldBe(9);
        cluster.State.TellHealth(nodes[3].State, alive: true);
        Spread(cluster).ShouldBe(before);
    }

    /// <summary>With most of them failing and health not counting, keys are where they were.</summary>
    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_InPanic_EveryKeyIsAtItsOwnNode(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 10).Select(port => Node(port))];
        ClusterSnapshot cluster = Cluster(policy, size, nodes);
        int[] before = Spread(cluster);
        Array.ForEach(nodes[2..], node => cluster.State.TellHealth(node.State, alive: false));
        Spread(cluster).ShouldBe(before);
    }

    /// <summary>The one that is left without a panic threshold gets all keys, however far they are hashed on.</summary>
    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_OneOfAHundredIsLeft_HasAllKeys(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 100).Select(port => Node(port))];
        ClusterSnapshot cluster = Cluster(policy, size, nodes) with { HealthyPanicThreshold = 0 };
        Array.ForEach(nodes[..99], node => cluster.State.TellHealth(node.State, alive: false));
        Spread(cluster).ShouldAllBe(static port => port == 100);
    }

    /// <summary>A loop does it between two requests: a table has at least four bytes for each of its slots.</summary>
    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_AfterAChangeOfHealth_LaysNoTableOut(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 400).Select(port => Node(port))];
        ClusterSnapshot cluster = Cluster(policy, size, nodes);
        LoadBalancer.Pick(cluster, new PickContext { Hash = 1 });
        cluster.State.TellHealth(nodes[3].State, alive: false);
        LoadBalancer.Pick(cluster, new PickContext { Hash = 1 });
        cluster.State.TellHealth(nodes[3].State, alive: true);
        long before = GC.GetAllocatedBytesForCurrentThread();
        LoadBalancer.Pick(cluster, new PickContext { Hash = 1 });
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(4 * 65_537);
    }

    /// <summary>A cluster in use gets its table with the update, not from the loop that picks first.</summary>
    [Theory]
    [MemberData(nameof(Policies))]
    public void Prepare_OfAClusterInUse_LeavesNothingForTheLoops(int policy, int size)
    {
        EndpointSnapshot[] nodes = [.. Enumerable.Range(1, 10).Select(port => Node(port))];
        ClusterSnapshot running = Cluster(policy, size, nodes);
        LoadBalancer.Pick(running, new PickContext { Hash = 1 });
        var prepared = new Queue<ClusterSnapshot>(Enumerable.Range(0, 10).Select(_ => running with { Endpoints = [.. nodes, Node(11)] }));
        foreach (ClusterSnapshot next in prepared)
        {
            EndpointSet.Prepare(next, running);
        }

        Allocations.OfEvery(() => LoadBalancer.Pick(prepared.Dequeue(), new PickContext { Hash = 1 })).ShouldBe(0);
        Spread(prepared.Peek()).ShouldContain(11);
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Pick_WithAHash_AllocatesNothing(int policy, int size)
    {
        ClusterSnapshot cluster = Cluster(policy, size, Node(1), Node(2), Node(3));
        LoadBalancer.Pick(cluster, new PickContext { Hash = 1 });
        Allocations.OfEvery(() =>
        {
            for (ulong i = 0; i < 100; i++)
            {
                LoadBalancer.Pick(cluster, new PickContext { Hash = StableHash.Of("key"u8, i) });
            }
        }).ShouldBe(0);
    }

    /// <summary>The hash is part of what other sidecars and later versions must agree on.</summary>
    [Fact]
    public void Of_KnownTexts_NeverChanges()
    {
        StableHash.Of(""u8).ShouldBe(StableHash.Of([]));
        StableHash.Of("user:1"u8).ShouldBe(KnownHash);
        StableHash.Of("user:1"u8, 1).ShouldNotBe(KnownHash);
    }

    private const ulong KnownHash = 5_540_904_067_209_686_849;

    private static int[] Spread(ClusterSnapshot cluster) =>
        [.. Enumerable.Range(0, Keys).Select(i => PortOf(LoadBalancer.Pick(cluster, new PickContext { Hash = StableHash.Of(Encoding.UTF8.GetBytes($"user:{i}")) })!))];

    private static int PortOf(EndpointSnapshot endpoint) => ((IPEndPoint)endpoint.Address).Port;

    private static EndpointSnapshot Node(int port, uint weight = 1)
    {
        var address = new IPEndPoint(IPAddress.Loopback, port);
        return new EndpointSnapshot(address, "", weight, EndpointHealth.Healthy, new EndpointState(address));
    }

    private static ClusterSnapshot Cluster(int policy, int size, params EndpointSnapshot[] nodes) => new()
    {
        Name = "c", Policy = (LoadBalancingPolicy)policy, HashTableSize = size, Endpoints = [.. nodes], State = new ClusterState("c"),
    };
}

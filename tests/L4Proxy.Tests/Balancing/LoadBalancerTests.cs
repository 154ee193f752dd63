using System.Net;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Balancing;

public sealed class LoadBalancerTests
{
    private static EndpointSnapshot Endpoint(int port, uint weight = 1, EndpointHealth health = EndpointHealth.Healthy)
    {
        var address = new IPEndPoint(IPAddress.Loopback, port);
        return new EndpointSnapshot(address, "", weight, health, new EndpointState(address));
    }

    private static ClusterSnapshot Cluster(LoadBalancingPolicy policy, params EndpointSnapshot[] endpoints) =>
        new() { Name = "c", Policy = policy, Endpoints = [.. endpoints], State = new ClusterState("c") };

    private static int PortOf(EndpointSnapshot? endpoint) => endpoint is null ? 0 : ((IPEndPoint)endpoint.Address).Port;

    private static Dictionary<int, int> Count(ClusterSnapshot cluster, int picks)
    {
        var random = new Random(3);
        return Enumerable.Range(0, picks)
            .Select(_ => PortOf(LoadBalancer.Pick(cluster, new PickContext { Random = random })))
            .CountBy(p => p).ToDictionary();
    }

    [Fact]
    public void Pick_RoundRobin_VisitsAllInTurn()
    {
        ClusterSnapshot cluster = Cluster(LoadBalancingPolicy.RoundRobin, Endpoint(1), Endpoint(2), Endpoint(3));
        int[] picks = [.. Enumerable.Range(0, 6).Select(_ => PortOf(LoadBalancer.Pick(cluster, new PickContext())))];
        picks.Take(3).Order().ShouldBe([1, 2, 3]);
        picks.Skip(3).ShouldBe(picks.Take(3));
    }

    [Fact]
    public void Pick_RoundRobinWeighted_IsExactOverOneRound() =>
        Count(Cluster(LoadBalancingPolicy.RoundRobin, Endpoint(1, 50), Endpoint(2, 30), Endpoint(3, 20)), 100)
            .OrderBy(p => p.Key).Select(p => p.Value).ShouldBe([50, 30, 20]);

    [Fact]
    public void Build_Weights_AreSpreadAndNotBunched()
    {
        WeightedSchedule.Build([4, 4]).ShouldBe([0, 1]);
        WeightedSchedule.Build([2, 1]).ShouldBe([0, 0, 1], ignoreOrder: true);
        int[] order = WeightedSchedule.Build([3, 1, 2]);
        order.Zip(order.Skip(1)).Count(p => p.First == p.Second).ShouldBeLessThanOrEqualTo(1);
    }

    [Fact]
    public void Build_HugeWeights_StayBoundedAndEveryIndexOccurs()
    {
        int[] order = WeightedSchedule.Build([uint.MaxValue, uint.MaxValue - 1, 1]);
        order.Length.ShouldBeLessThanOrEqualTo(WeightedSchedule.MaxLength + 3);
        order.Distinct().Count().ShouldBe(3);
    }

    [Theory]
    [InlineData(LoadBalancingPolicy.LeastRequest)]
    [InlineData(LoadBalancingPolicy.Random)]
    public void Pick_EqualAndIdle_ReachesAllAboutEvenly(object policy)
    {
        Dictionary<int, int> counts = Count(Cluster((LoadBalancingPolicy)policy, Endpoint(1), Endpoint(2), Endpoint(3)), 3_000);
        counts.Values.ShouldAllBe(n => n > 850 && n < 1150);
    }

    [Fact]
    public void Pick_LeastRequestIdle_FollowsWeights()
    {
        Dictionary<int, int> counts = Count(Cluster(LoadBalancingPolicy.LeastRequest, Endpoint(1, 1), Endpoint(2, 3)), 4_000);
        counts[1].ShouldBeInRange(850, 1150);
    }

    [Fact]
    public void Pick_LeastRequestLoaded_BalancesConnectionsPerWeight()
    {
        ClusterSnapshot cluster = Cluster(LoadBalancingPolicy.LeastRequest, Endpoint(1, 1), Endpoint(2, 3));
        var random = new Random(5);
        for (int i = 0; i < 4_000; i++)
        {
            LoadBalancer.Pick(cluster, new PickContext { Random = random })!.State.Opened();
        }

        cluster.Endpoints[0].State.Active.ShouldBeInRange(900, 1100);
    }

    [Fact]
    public void Pick_LeastRequestOneBusy_PrefersTheOthers()
    {
        EndpointSnapshot busy = Endpoint(1);
        for (int i = 0; i < 10; i++)
        {
            busy.State.Opened();
        }

        Count(Cluster(LoadBalancingPolicy.LeastRequest, busy, Endpoint(2), Endpoint(3)), 3_000)
            .GetValueOrDefault(1).ShouldBeLessThan(450);
    }

    [Theory]
    [InlineData(LoadBalancingPolicy.RoundRobin)]
    [InlineData(LoadBalancingPolicy.LeastRequest)]
    [InlineData(LoadBalancingPolicy.Random)]
    public void Pick_Tried_IsPassedOverWhileOthersRemain(object policy)
    {
        EndpointSnapshot[] all = [Endpoint(1, 9), Endpoint(2), Endpoint(3)];
        ClusterSnapshot cluster = Cluster((LoadBalancingPolicy)policy, all);
        for (int i = 0; i < 50; i++)
        {
            PortOf(LoadBalancer.Pick(cluster, new PickContext { Tried = all.AsSpan(0, 2) })).ShouldBe(3);
            LoadBalancer.Pick(cluster, new PickContext { Tried = all }).ShouldNotBeNull();
        }
    }

    [Theory]
    [InlineData(EndpointHealth.Unhealthy)]
    [InlineData(EndpointHealth.Draining)]
    [InlineData(EndpointHealth.Timeout)]
    public void Pick_UnusableMinority_IsNeverPicked(object health)
    {
        ClusterSnapshot cluster = Cluster(
            LoadBalancingPolicy.RoundRobin, Endpoint(1), Endpoint(2, 1, (EndpointHealth)health), Endpoint(3, 1, EndpointHealth.Degraded));
        Count(cluster, 30).Keys.Order().ShouldBe([1, 3]);
    }

    [Fact]
    public void Pick_BelowPanicThreshold_IgnoresHealth()
    {
        ClusterSnapshot cluster = Cluster(
            LoadBalancingPolicy.RoundRobin,
            Endpoint(1), Endpoint(2, 1, EndpointHealth.Unhealthy), Endpoint(3, 1, EndpointHealth.Unhealthy));
        Count(cluster, 30).Keys.Order().ShouldBe([1, 2, 3]);
        Count(cluster with { HealthyPanicThreshold = 0 }, 30).Keys.ShouldBe([1]);
    }

    [Fact]
    public void Pick_NoneUsableWithoutPanic_IsNull()
    {
        ClusterSnapshot cluster = Cluster(LoadBalancingPolicy.RoundRobin, Endpoint(1, 1, EndpointHealth.Unhealthy));
        LoadBalancer.Pick(cluster with { HealthyPanicThreshold = 0 }, new PickContext()).ShouldBeNull();
        LoadBalancer.Pick(Cluster(LoadBalancingPolicy.Random), new PickContext()).ShouldBeNull();
    }

    [Theory]
    [InlineData("10.0.0.1:80", null, "10.0.0.1:80")]
    [InlineData("10.0.0.1:80", 9000, "10.0.0.1:9000")]
    [InlineData("[::1]:80", null, "[::1]:80")]
    [InlineData("10.0.0.1:0", null, null)]
    [InlineData(null, 9000, null)]
    public void Pick_OriginalDestination_MakesTheEndpoint(string? destination, int? port, string? expected)
    {
        ClusterSnapshot cluster = Cluster(LoadBalancingPolicy.ClusterProvided) with
        {
            Discovery = ClusterDiscovery.OriginalDestination,
            OriginalDestinationPort = port,
        };
        var context = new PickContext { OriginalDestination = destination is null ? null : IPEndPoint.Parse(destination) };
        EndpointSnapshot? picked = LoadBalancer.Pick(cluster, context);
        picked?.Address.ToString().ShouldBe(expected);
        (picked is null).ShouldBe(expected is null);
        cluster.State.Endpoints.ShouldBeEmpty("every destination ever dialled would stay for the life of the process");
    }

    [Theory]
    [InlineData(LoadBalancingPolicy.RoundRobin)]
    [InlineData(LoadBalancingPolicy.LeastRequest)]
    [InlineData(LoadBalancingPolicy.Random)]
    public void Pick_HotPath_AllocatesNothing(object policy)
    {
        ClusterSnapshot cluster = Cluster((LoadBalancingPolicy)policy, Endpoint(1, 2), Endpoint(2), Endpoint(3));
        LoadBalancer.Pick(cluster, new PickContext());
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                LoadBalancer.Pick(cluster, new PickContext());
            }
        }).ShouldBe(0);
    }

    [Fact]
    public void Pick_WeightedClusters_FollowsWeights()
    {
        var proxy = new TcpProxySnapshot { Clusters = [new("a", 1), new("b", 0), new("c", 3)], TotalWeight = 4 };
        var random = new Random(9);
        Dictionary<string, int> counts =
            Enumerable.Range(0, 4_000).Select(_ => WeightedClusterChoice.Pick(proxy, random)).CountBy(n => n).ToDictionary();
        counts["a"].ShouldBeInRange(850, 1150);
        counts.ShouldNotContainKey("b");
        counts.Values.Sum().ShouldBe(4_000);
    }
}

using System.Net;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Balancing;

/// <summary>How connections are shared among priorities and localities. A port's hundreds are its priority, its tens its locality.</summary>
public sealed class PriorityTests
{
    private const int Picks = 20_000;

    private static EndpointSnapshot[] Group(
        uint priority, int healthy, int sick, uint weight = 0, int locality = 0, uint overprovisioning = 140, EndpointHealth sickness = EndpointHealth.Unhealthy) =>
    [
        .. Enumerable.Range(0, healthy + sick).Select(i =>
        {
            var address = new IPEndPoint(IPAddress.Loopback, (int)((priority * 100) + (uint)(locality * 10) + (uint)i + 1));
            return new EndpointSnapshot(address, "", 1, i < healthy ? EndpointHealth.Healthy : sickness, new EndpointState(address))
            {
                Group = new EndpointGroup(priority, locality, weight, overprovisioning),
            };
        }),
    ];

    private static ClusterSnapshot Cluster(params EndpointSnapshot[][] groups) => new()
    {
        Name = "c",
        Policy = LoadBalancingPolicy.Random,
        Endpoints = [.. groups.SelectMany(static g => g)],
        State = new ClusterState("c"),
    };

    /// <summary>Percent of picks by a part of the port.</summary>
    private static Dictionary<int, double> Shares(ClusterSnapshot cluster, Func<int, int> part)
    {
        var random = new Random(11);
        return Enumerable.Range(0, Picks)
            .Select(_ => part(((IPEndPoint)LoadBalancer.Pick(cluster, new PickContext { Random = random })!.Address).Port))
            .CountBy(static p => p).ToDictionary(static p => p.Key, static p => p.Value * 100.0 / Picks);
    }

    private static int Priority(int port) => port / 100;

    private static int Locality(int port) => port / 10 % 10;

    [Fact]
    public void Pick_EnoughHealthy_StaysInTheFirstPriority() =>
        Shares(Cluster(Group(0, 3, 1), Group(1, 4, 0)), Priority).Keys.ShouldBe([0]); // 75 % * 1.4 > 100 %

    [Fact]
    public void Pick_HalfHealthy_SpillsWhatOverprovisioningDoesNotCover()
    {
        Dictionary<int, double> shares = Shares(Cluster(Group(0, 2, 2), Group(1, 4, 0)), Priority);
        shares[0].ShouldBeInRange(68, 72); // 50 % * 1.4
        shares[1].ShouldBeInRange(28, 32);
    }

    [Fact]
    public void Pick_OtherFactor_IsUsed() =>
        Shares(Cluster(Group(0, 2, 2, overprovisioning: 100), Group(1, 4, 0)), Priority)[0].ShouldBeInRange(48, 52);

    [Fact]
    public void Pick_FirstPriorityDown_SecondTakesAll() =>
        Shares(Cluster(Group(0, 0, 4), Group(1, 4, 0)), Priority).Keys.ShouldBe([1]);

    [Fact]
    public void Pick_EnoughHealthy_LeavesDegradedOnesAlone() =>
        Shares(Cluster(Group(0, 3, 1, sickness: EndpointHealth.Degraded)), static port => port).Keys.Order().ShouldBe([1, 2, 3]); // 75 % * 1.4 > 100 %

    [Fact]
    public void Pick_TooFewHealthy_DegradedOnesTakeTheRest()
    {
        Dictionary<int, double> shares = Shares(Cluster(Group(0, 1, 3, sickness: EndpointHealth.Degraded)), static port => port);
        shares[1].ShouldBeInRange(33, 37); // 25 % * 1.4
        shares.Count.ShouldBe(4);
    }

    /// <summary>Healthy ones of a later priority go before degraded ones of an earlier.</summary>
    [Fact]
    public void Pick_HealthyOnesOfAnotherPriority_GoBeforeDegradedOnes()
    {
        ClusterSnapshot cluster = Cluster(Group(0, 2, 2, sickness: EndpointHealth.Degraded), Group(1, 1, 3, sickness: EndpointHealth.Unhealthy));
        Dictionary<int, double> shares = Shares(cluster, static port => port);
        (shares[1] + shares[2]).ShouldBeInRange(68, 72); // 50 % * 1.4
        shares.ShouldNotContainKey(102);
        shares[101].ShouldBeInRange(28, 32); // 25 % * 1.4, of which 30 % are left
        shares.Count.ShouldBe(3);
    }

    [Fact]
    public void Pick_DegradedOnesOfWeightedLocalities_ShareByWeight()
    {
        ClusterSnapshot cluster = Cluster(
            Group(0, 0, 2, weight: 1, locality: 1, sickness: EndpointHealth.Degraded), Group(0, 0, 2, weight: 3, locality: 2, sickness: EndpointHealth.Degraded));
        Shares(cluster with { LocalityWeighted = true }, Locality)[2].ShouldBeInRange(73, 77);
    }

    [Fact]
    public void Pick_TogetherBelowAll_LoadsAreScaledUp()
    {
        // 2/10 * 1.4 = 28 % and 1/10 * 1.4 = 14 %: two thirds and one third; both in panic, so that all their endpoints are used.
        Dictionary<int, double> shares = Shares(Cluster(Group(0, 2, 8), Group(1, 1, 9)), Priority);
        shares[0].ShouldBeInRange(64, 69);
        Shares(Cluster(Group(0, 2, 8), Group(1, 1, 9)), static port => port).Count.ShouldBe(20);
        Shares(Cluster(Group(0, 2, 8), Group(1, 1, 9)) with { HealthyPanicThreshold = 0 }, static port => port).Count.ShouldBe(3);
    }

    [Fact]
    public void Pick_PriorityNeedingTls_IsAsIfItWereNotThere()
    {
        EndpointSnapshot[] secured = [.. Group(0, 4, 0).Select(static e => e with { RequiresTls = true })];
        Shares(Cluster(secured, Group(1, 2, 0)), Priority).Keys.ShouldBe([1]);
        LoadBalancer.Pick(Cluster(secured), new PickContext()).ShouldBeNull();
        EndpointSet.For(Cluster(secured)).OnlyTls.ShouldBeTrue();
    }

    [Fact]
    public void Pick_LocalityWeights_CountNotTheEndpoints()
    {
        ClusterSnapshot cluster = Cluster(Group(0, 8, 0, weight: 1, locality: 1), Group(0, 1, 0, weight: 3, locality: 2), Group(0, 5, 0, weight: 0, locality: 3));
        Dictionary<int, double> shares = Shares(cluster with { LocalityWeighted = true }, Locality);
        shares[1].ShouldBeInRange(23, 27);
        shares[2].ShouldBeInRange(73, 77);
        shares.ShouldNotContainKey(3);
        Shares(cluster, Locality)[3].ShouldBeInRange(33, 38); // not asked for: by endpoints
    }

    [Fact]
    public void Pick_LocalityHalfDown_LosesWhatIsBeyondOverprovisioning()
    {
        ClusterSnapshot cluster = Cluster(Group(0, 1, 1, weight: 1, locality: 1), Group(0, 4, 0, weight: 1, locality: 2)) with { LocalityWeighted = true };
        Shares(cluster, Locality)[1].ShouldBeInRange(39, 43); // 0.7 to 1
    }

    [Fact]
    public void Pick_AllOfAPoolTried_GoesToAnother()
    {
        ClusterSnapshot cluster = Cluster(Group(0, 1, 0, weight: 1, locality: 1), Group(0, 1, 0, weight: 1, locality: 2)) with { LocalityWeighted = true };
        for (int i = 0; i < 50; i++)
        {
            LoadBalancer.Pick(cluster, new PickContext { Tried = cluster.Endpoints.AsSpan(0, 1) }).ShouldBe(cluster.Endpoints[1]);
        }
    }
}

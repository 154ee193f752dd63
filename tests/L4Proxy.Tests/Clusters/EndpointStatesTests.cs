using System.Net;
using MeshL4.L4Proxy.Clusters;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Clusters;

public sealed class EndpointStatesTests
{
    private static readonly IPEndPoint Address = new(IPAddress.Loopback, 1);

    /// <summary>Nobody asks it meanwhile: a verdict of before would stay for as long as its old connections do.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EndpointThatLeavesWithAVerdict_ComesBackWithout(bool withItsCluster)
    {
        var registry = new ClusterStateRegistry();
        ClusterState cluster = registry.Get("c");
        EndpointState endpoint = cluster.Endpoint(Address);
        cluster.TryAcquire(MeshL4.L4Proxy.Config.Snapshots.CircuitBreakerLimits.Default).ShouldBeTrue();
        endpoint.Opened();
        cluster.TellHealth(endpoint, alive: false);

        (withItsCluster ? registry.Remove("c") : cluster.Retain([])).ShouldBeFalse();

        registry.Get("c").Endpoint(Address).FailsChecks.ShouldBeFalse();
    }
}

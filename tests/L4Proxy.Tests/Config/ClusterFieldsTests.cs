using MeshL4.L4Proxy.Config.Snapshots;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What fields of a cluster compile to.</summary>
public sealed class ClusterFieldsTests : IDisposable
{
    private const string Types = "type.googleapis.com/";
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Policies of <c>load_balancing_policy</c>, and localities by weight within wrr_locality.</summary>
    [Theory]
    [InlineData("round_robin.v3.RoundRobin", "", LoadBalancingPolicy.RoundRobin, false)]
    [InlineData("random.v3.Random", "", LoadBalancingPolicy.Random, false)]
    [InlineData("random.v3.Random", ", locality_lb_config: {locality_weighted_lb_config: {}}", LoadBalancingPolicy.Random, true)]
    [InlineData("wrr_locality.v3.WrrLocality", ", endpoint_picking_policy: {policies: [{typed_extension_config: {name: r, typed_config: {'@type': type.googleapis.com/envoy.extensions.load_balancing_policies.random.v3.Random}}}]}", LoadBalancingPolicy.Random, true)]
    public void Policies_OfTheExtensibleStyle_AreTaken(string type, string fields, object policy, bool weighted)
    {
        const string Policies = Types + "envoy.extensions.load_balancing_policies.";
        string cluster = $"{{name: c, load_balancing_policy: {{policies: [{{typed_extension_config: {{name: m, typed_config: {{'@type': {Policies}{type}{fields}}}}}}}]}}}}";
        ClusterSnapshot compiled = _folder.Start($"static_resources: {{clusters: [{cluster}]}}\n").Clusters["c"];
        (compiled.Policy, compiled.LocalityWeighted).ShouldBe(((LoadBalancingPolicy)policy, weighted));
    }

    [Fact]
    public void Keepalive_IsTaken_AsFarAsItIsGiven()
    {
        Cluster(", upstream_connection_options: {tcp_keepalive: {keepalive_probes: 3, keepalive_time: 40, keepalive_interval: 7}}").Keepalive.ShouldBe(new TcpKeepaliveSnapshot(3, 40, 7));
        Cluster(", upstream_connection_options: {tcp_keepalive: {keepalive_time: 40}}").Keepalive.ShouldBe(new TcpKeepaliveSnapshot(null, 40, null));
        Cluster("").Keepalive.ShouldBeNull();
    }

    private ClusterSnapshot Cluster(string fields) => _folder.Start($"static_resources: {{clusters: [{{name: c{fields}}}]}}\n").Clusters["c"];
}

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

    /// <summary>Policies of the classic fields.</summary>
    [Theory]
    [InlineData("", LoadBalancingPolicy.RoundRobin, 2)]
    [InlineData(", lb_policy: ROUND_ROBIN", LoadBalancingPolicy.RoundRobin, 2)]
    [InlineData(", lb_policy: RANDOM", LoadBalancingPolicy.Random, 2)]
    [InlineData(", lb_policy: LEAST_REQUEST", LoadBalancingPolicy.LeastRequest, 2)]
    [InlineData(", lb_policy: LEAST_REQUEST, least_request_lb_config: {choice_count: 5}", LoadBalancingPolicy.LeastRequest, 5)]
    [InlineData(", lb_policy: RING_HASH", LoadBalancingPolicy.RingHash, 2)]
    [InlineData(", lb_policy: MAGLEV", LoadBalancingPolicy.Maglev, 2)]
    public void Policies_OfTheClassicStyle_AreTaken(string fields, object policy, int choices)
    {
        ClusterSnapshot compiled = Cluster(fields);
        (compiled.Policy, compiled.LeastRequestChoices).ShouldBe(((LoadBalancingPolicy)policy, choices));
    }

    /// <summary>The first policy that is known counts, whatever <c>lb_policy</c> says.</summary>
    [Fact]
    public void Policies_OfBothStyles_TheExtensibleOneWins()
    {
        const string Policies = Types + "envoy.extensions.load_balancing_policies.";
        Cluster($", lb_policy: RANDOM, load_balancing_policy: {{policies: [{{typed_extension_config: {{name: x, typed_config: {{'@type': {Types}some.Policy}}}}}}, "
            + $"{{typed_extension_config: {{name: m, typed_config: {{'@type': {Policies}least_request.v3.LeastRequest, choice_count: 4}}}}}}]}}")
            .ShouldSatisfyAllConditions(static c => c.Policy.ShouldBe(LoadBalancingPolicy.LeastRequest), static c => c.LeastRequestChoices.ShouldBe(4));
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

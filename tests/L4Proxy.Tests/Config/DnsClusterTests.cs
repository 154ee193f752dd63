using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Clusters whose endpoints are names, in the classic fields and as the DnsCluster extension.</summary>
public sealed class DnsClusterTests : IDisposable
{
    private const string Extension = "{name: envoy.clusters.dns, typed_config: {'@type': type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster, dns_lookup_family: V4_ONLY";

    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>A start waits for names for a few seconds only, which a machine may stand still for.</summary>
    private async Task<ClusterSnapshot> ResolvedAsync(int endpoints)
    {
        await ConfigFolder.Until(() => _folder.Store.Current.Clusters.TryGetValue("c", out ClusterSnapshot? cluster) && cluster.Endpoints.Length == endpoints);
        return _folder.Store.Current.Clusters["c"];
    }

    private static string Endpoint(int port) => $"{{endpoint: {{address: {{socket_address: {{address: localhost, port_value: {port}}}}}}}}}";

    private static string Bootstrap(string kind, params int[] ports) =>
        $"static_resources: {{clusters: [{{name: c, {kind}, load_assignment: {{cluster_name: c, endpoints: [{{lb_endpoints: [{string.Join(", ", ports.Select(Endpoint))}]}}]}}}}]}}";

    [Theory]
    [InlineData("type: LOGICAL_DNS, dns_lookup_family: V4_ONLY")]
    [InlineData("cluster_type: " + Extension + ", all_addresses_in_single_endpoint: true}}")]
    [InlineData("cluster_type: " + Extension + "}}")]
    public async Task Start_NameOfALoopback_IsResolved(string kind)
    {
        _folder.Start(Bootstrap(kind, 7001));
        ClusterSnapshot cluster = await ResolvedAsync(1);
        cluster.Endpoints.Single().Address.ShouldBe(IPEndPoint.Parse("127.0.0.1:7001"));
        cluster.Endpoints.Single().Hostname.ShouldBe("localhost");
    }

    [Fact]
    public async Task Start_StrictDnsExtension_TakesEveryEndpoint()
    {
        _folder.Start(Bootstrap("cluster_type: " + Extension + "}}", 7001, 7002));
        await ResolvedAsync(2);
    }

    [Theory]
    [InlineData("type: LOGICAL_DNS")]
    [InlineData("cluster_type: " + Extension + ", all_addresses_in_single_endpoint: true}}")]
    public void Validate_LogicalDnsWithTwoEndpoints_IsRefused(string kind) =>
        _folder.Errors(Bootstrap(kind, 7001, 7002)).ShouldContain("exactly one endpoint");

    [Fact]
    public void Validate_OtherClusterType_IsNamed() => _folder.Errors(
        "static_resources: {clusters: [{name: c, cluster_type: {name: my.cluster, typed_config: {'@type': type.googleapis.com/some.Cluster}}}]}").ShouldContain("'my.cluster' (some.Cluster)");

    [Fact]
    public void Start_DnsRefreshRate_IsTakenFromBothStyles()
    {
        _folder.Start(Bootstrap("type: STRICT_DNS, dns_refresh_rate: 60s, dns_lookup_family: V4_ONLY", 7001)).Clusters["c"].DnsRefresh.Rate.ShouldBe(TimeSpan.FromSeconds(60));
        _folder.Start(Bootstrap("cluster_type: " + Extension + ", dns_refresh_rate: 70s}}", 7001)).Clusters["c"].DnsRefresh.Rate.ShouldBe(TimeSpan.FromSeconds(70));
    }

    [Theory]
    [InlineData("type: STRICT_DNS, dns_lookup_family: V4_ONLY, ")]
    [InlineData("cluster_type: " + Extension + ", ")]
    public void Start_TimeToLiveAndFailureRate_AreTakenFromBothStyles(string style)
    {
        string end = style.StartsWith("type", StringComparison.Ordinal) ? "" : "}}";
        DnsRefresh refresh = _folder.Start(Bootstrap(style + "respect_dns_ttl: true, dns_jitter: 3s, dns_failure_refresh_rate: {base_interval: 2s}" + end, 7001)).Clusters["c"].DnsRefresh;
        refresh.ShouldBe(new DnsRefresh(TimeSpan.FromSeconds(5), true, new DnsFailureRefresh(TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(20))) { Jitter = TimeSpan.FromSeconds(3) });
    }

    [Theory]
    [InlineData("{}", "dns_failure_refresh_rate.base_interval: is required")]
    [InlineData("{base_interval: 0s}", "dns_failure_refresh_rate.base_interval")]
    [InlineData("{base_interval: 2s, max_interval: 1s}", "dns_failure_refresh_rate.max_interval: must not be below base_interval")]
    public void Validate_WrongFailureRate_IsRefused(string rate, string error) =>
        _folder.Errors(Bootstrap($"type: STRICT_DNS, dns_failure_refresh_rate: {rate}", 7001)).ShouldContain(error);
}

using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Criteria of <c>filter_chain_match</c> as a configuration gives them. That they are asked in their order is for the table's own tests.</summary>
public sealed class ChainMatchDecodingTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Each criterion alone: the chain that has it takes what it names, the other one the rest.</summary>
    [Theory]
    [InlineData("destination_port: 6379", "destination_port: 6380")]
    [InlineData("prefix_ranges: [{address_prefix: 10.9.0.0, prefix_len: 16}]", "prefix_ranges: [{address_prefix: 10.8.0.0, prefix_len: 16}]")]
    [InlineData("server_names: ['*.example']", "server_names: [example]")]
    [InlineData("transport_protocol: tls", "transport_protocol: raw_buffer")]
    [InlineData("application_protocols: [http/1.1, h2]", "application_protocols: [istio]")]
    [InlineData("direct_source_prefix_ranges: [{address_prefix: 172.16.0.0, prefix_len: 12}]", "direct_source_prefix_ranges: [{address_prefix: 10.1.2.3, prefix_len: 32}]")]
    [InlineData("source_type: EXTERNAL", "source_type: SAME_IP_OR_LOOPBACK")]
    [InlineData("source_prefix_ranges: [{address_prefix: 10.1.2.3, prefix_len: 32}]", "source_prefix_ranges: [{address_prefix: 172.16.0.1, prefix_len: 32}]")]
    [InlineData("source_ports: [3999, 4000]", "source_ports: [1]")]
    public void Criterion_TakesWhatItNames(string named, string other)
    {
        var input = new MatchInput
        {
            Source = IPEndPoint.Parse("10.1.2.3:4000"), DirectSource = IPEndPoint.Parse("172.16.0.1:1"), Destination = IPEndPoint.Parse("10.9.9.9:6379"),
            ServerName = "a.example", TransportProtocol = "tls", ApplicationProtocols = ["h2", "http/1.1"],
        };
        Chosen(named, input).ShouldBe("named");
        Chosen(other, input).ShouldBe("rest");
    }

    [Fact]
    public void OriginalDestinationPort_IsOverridden() => _folder.Start(
        "static_resources: {clusters: [{name: c, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED, original_dst_lb_config: {upstream_port_override: 9000}}]}\n")
        .Clusters["c"].OriginalDestinationPort.ShouldBe(9000);

    private string? Chosen(string criterion, MatchInput input)
    {
        string chains = string.Join(", ", new[] { ("named", criterion), ("rest", "") }.Select(static one =>
            $"{{name: {one.Item1}, filter_chain_match: {{{one.Item2}}}, filters: [{{name: f, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, cluster: c}}}}]}}"));
        ListenerSnapshot listener = _folder.Start(
            $"static_resources: {{listeners: [{{name: l, address: {{socket_address: {{address: 127.0.0.1, port_value: 1000}}}}, filter_chains: [{chains}]}}], clusters: [{{name: c}}]}}\n").Listeners[0];
        return FilterChainMatcher.For(listener).Find(input)?.Name;
    }
}

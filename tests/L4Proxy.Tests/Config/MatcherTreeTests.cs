using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Maps and inputs of a <c>filter_chain_matcher</c> tree.</summary>
public sealed class MatcherTreeTests : IDisposable
{
    private const string Types = "type.googleapis.com/";
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Each input with the text Envoy gives it.</summary>
    [Theory]
    [InlineData("DestinationIPInput", "10.9.9.9")]
    [InlineData("DestinationPortInput", "6379")]
    [InlineData("SourceIPInput", "10.1.2.3")]
    [InlineData("SourcePortInput", "4000")]
    [InlineData("DirectSourceIPInput", "172.16.0.1")]
    [InlineData("ServerNameInput", "a.example")]
    [InlineData("TransportProtocolInput", "tls")]
    [InlineData("ApplicationProtocolInput", "''h2'',''http/1.1''")]
    public void Input_GivesItsText(string input, string text)
    {
        string tree = Tree(input, $"exact_match_map: {{map: {{'{text}': {To("a")}}}}}");
        Chosen(tree, Connection).ShouldBe("a");
        Chosen(tree, new MatchInput { TransportProtocol = "" }).ShouldBeNull();
    }

    [Theory]
    [InlineData("10.9.9.9", "a")]
    [InlineData("127.0.0.1", "a")]
    [InlineData("10.1.2.3", null)]
    public void SourceType_IsLocal_ForLoopbackAndTheDestinationsOwnAddress(string source, string? expected) => Chosen(
        Tree("SourceTypeInput", $"exact_match_map: {{map: {{local: {To("a")}}}}}"),
        Connection with { Source = new IPEndPoint(IPAddress.Parse(source), 1), DirectSource = new IPEndPoint(IPAddress.Parse(source), 1) }).ShouldBe(expected);

    /// <summary>The longest prefix; one that leads nowhere gives way to a shorter one.</summary>
    [Theory]
    [InlineData("db.internal", "a")]
    [InlineData("db.example", "b")]
    [InlineData("dx", "c")]
    [InlineData("x", null)]
    public void PrefixMap_LongestThatLeadsSomewhere_Wins(string name, string? expected)
    {
        string nested = $"{{matcher: {Tree("ServerNameInput", $"exact_match_map: {{map: {{db.internal: {To("a")}}}}}")}}}";
        Chosen(Tree("ServerNameInput", $"prefix_match_map: {{map: {{d: {To("c")}, db.: {To("b")}, db.i: {nested}}}}}"), Connection with { ServerName = name }).ShouldBe(expected);
    }

    /// <summary>An exclusive range that leads nowhere ends the search.</summary>
    [Theory]
    [InlineData("true", null)]
    [InlineData("false", "b")]
    public void ExclusiveRange_ThatLeadsNowhere_EndsTheSearch(string exclusive, string? expected)
    {
        string nowhere = $"{{matcher: {Tree("DestinationPortInput", $"exact_match_map: {{map: {{'1': {To("a")}}}}}")}}}";
        string ranges = $"custom_match: {{name: ip, typed_config: {{'@type': {Types}xds.type.matcher.v3.IPMatcher, range_matchers: ["
            + $"{{ranges: [{{address_prefix: 10.0.0.0, prefix_len: 8}}], on_match: {To("b")}}}, "
            + $"{{ranges: [{{address_prefix: 10.1.0.0, prefix_len: 16}}], on_match: {nowhere}, exclusive: {exclusive}}}]}}}}";
        Chosen(Tree("SourceIPInput", ranges), Connection).ShouldBe(expected);
        Chosen(Tree("SourceIPInput", ranges), Connection with { Source = new IPEndPoint(IPAddress.Parse("10.2.0.1"), 1) }).ShouldBe("b");
    }

    private static MatchInput Connection => new()
    {
        Source = IPEndPoint.Parse("10.1.2.3:4000"), DirectSource = IPEndPoint.Parse("172.16.0.1:1"), Destination = IPEndPoint.Parse("10.9.9.9:6379"),
        ServerName = "a.example", TransportProtocol = "tls", ApplicationProtocols = ["h2", "http/1.1"],
    };

    private string? Chosen(string matcher, MatchInput input)
    {
        string chains = string.Join(", ", new[] { "a", "b", "c" }.Select(static name =>
            $"{{name: {name}, filters: [{{name: f, typed_config: {{'@type': {Types}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: s, cluster: c}}}}]}}"));
        ListenerSnapshot listener = _folder.Start(
            $"static_resources: {{listeners: [{{name: l, address: {{socket_address: {{address: 127.0.0.1, port_value: 1000}}}}, filter_chains: [{chains}], filter_chain_matcher: {matcher}}}], clusters: [{{name: c}}]}}\n").Listeners[0];
        return FilterChainMatcher.For(listener).Find(input)?.Name;
    }

    private static string To(string chain) => $"{{action: {{name: x, typed_config: {{'@type': {Types}google.protobuf.StringValue, value: {chain}}}}}}}";

    private static string Tree(string input, string map)
        => $"{{matcher_tree: {{input: {{name: i, typed_config: {{'@type': {Types}envoy.extensions.matching.common_inputs.network.v3.{input}}}}}, {map}}}}}";
}

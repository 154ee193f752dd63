using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Matching;

public sealed class FilterChainTableTests
{
    private static readonly string[] Networks = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "0.0.0.0/0", "2001:db8::/32", "2001:db8::1/128", "::/0"];
    private static readonly string[] Addresses = ["10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.1", "127.0.0.1", "2001:db8::1", "2001:db8::2", "::1"];
    private static readonly string[] Names = ["a.example.com", "*.example.com", "*.com", "b.org", "*.a.example.com"];
    private static readonly string[] Sniffed = ["a.example.com", "x.example.com", "x.y.example.com", "example.com", "z.com", "b.org", "c.net"];
    private static readonly string[] Protocols = ["h2", "http/1.1", "istio"];

    private static MatchInput Input(
        string destination, string? name = null, string transport = "raw_buffer", string source = "192.0.2.9:1000",
        params string[] protocols) => new()
        {
            Destination = IPEndPoint.Parse(destination),
            ServerName = name,
            TransportProtocol = transport,
            ApplicationProtocols = [.. protocols],
            DirectSource = IPEndPoint.Parse(source),
            Source = IPEndPoint.Parse(source),
        };

    private static FilterChainMatchSnapshot Port(int? port, string transport = "", params string[] protocols) =>
        new() { DestinationPort = port, TransportProtocol = transport, ApplicationProtocols = [.. protocols] };

    /// <summary>Istio's 15006: blackhole, catch-alls per family, and port 9080 permissive with protocol detection.</summary>
    private static readonly FilterChainMatchSnapshot[] VirtualInbound =
    [
        Port(15006),
        new() { PrefixRanges = [IPNetwork.Parse("0.0.0.0/0")] },
        new() { PrefixRanges = [IPNetwork.Parse("::/0")] },
        Port(9080, "tls", "istio-http/1.0", "istio-http/1.1", "istio-h2"),
        Port(9080, "raw_buffer", "http/1.1", "h2c"),
        Port(9080, "tls", "istio-peer-exchange", "istio"),
        Port(9080, "raw_buffer"),
        Port(9080, "tls"),
        Port(6379, "tls"),
    ];

    [Theory]
    [InlineData("10.0.0.1:15006", "raw_buffer", "", 0)]
    [InlineData("10.0.0.1:7777", "raw_buffer", "", 1)]
    [InlineData("[2001:db8::1]:7777", "tls", "h2", 2)]
    [InlineData("10.0.0.1:9080", "tls", "istio-h2,istio", 3)]
    [InlineData("10.0.0.1:9080", "tls", "istio,istio-h2", 5)]
    [InlineData("10.0.0.1:9080", "raw_buffer", "http/1.1", 4)]
    [InlineData("10.0.0.1:9080", "raw_buffer", "http/1.0", 6)]
    [InlineData("10.0.0.1:9080", "tls", "h2,http/1.1", 7)]
    [InlineData("10.0.0.1:9080", "tls", "", 7)]
    [InlineData("10.0.0.1:6379", "raw_buffer", "", -1)]
    public void Find_VirtualInbound_TakesIstiosChain(string destination, string transport, string protocols, int expected)
    {
        FilterChainTable table = FilterChainTable.Compile(VirtualInbound);
        string[] offered = protocols.Split(',', StringSplitOptions.RemoveEmptyEntries);
        table.Find(Input(destination, null, transport, protocols: offered)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("a.example.com", 0)]
    [InlineData("b.a.example.com", 1)]
    [InlineData("x.example.com", 2)]
    [InlineData("example.com", 3)]
    [InlineData(null, 3)]
    public void Find_ServerNames_ExactThenLongestSuffixThenNone(string? name, int expected)
    {
        FilterChainTable table = FilterChainTable.Compile(
        [
            new() { ServerNames = ["a.example.com"] },
            new() { ServerNames = ["*.A.example.com"] },
            new() { ServerNames = ["*.example.com"] },
            FilterChainMatchSnapshot.Any,
        ]);
        table.Find(Input("10.0.0.1:443", name, "tls")).ShouldBe(expected);
    }

    [Fact]
    public void Find_LaterCriterionFails_DoesNotGoBack()
    {
        FilterChainTable table = FilterChainTable.Compile(
        [
            new() { DestinationPort = 443, ServerNames = ["a.example.com"], TransportProtocol = "tls" },
            new() { DestinationPort = 443, ServerNames = ["*.example.com"] },
            FilterChainMatchSnapshot.Any,
        ]);
        table.Find(Input("10.0.0.1:443", "a.example.com")).ShouldBe(-1);
        table.Find(Input("10.0.0.1:443", "c.net")).ShouldBe(-1);
    }

    [Theory]
    [InlineData("127.0.0.1:1", 0)]
    [InlineData("10.0.0.1:1", 0)]
    [InlineData("[::ffff:10.0.0.1]:1", 0)]
    [InlineData("10.0.0.2:1", 1)]
    public void Find_SourceType_TellsLocalFromExternal(string source, int expected)
    {
        FilterChainTable table = FilterChainTable.Compile(
            [new() { SourceType = SourceType.SameIpOrLoopback }, new() { SourceType = SourceType.External }, FilterChainMatchSnapshot.Any]);
        table.Find(Input("10.0.0.1:80", source: source)).ShouldBe(expected);
    }

    [Fact]
    public void Find_MappedDestination_IsIPv4() =>
        FilterChainTable.Compile([new() { PrefixRanges = [IPNetwork.Parse("10.0.0.0/8")] }])
            .Find(Input("[::ffff:10.1.1.1]:80")).ShouldBe(0);

    [Fact]
    public void Find_NoAddresses_TakesTheUnrestrictedChain() =>
        FilterChainTable.Compile([Port(80), FilterChainMatchSnapshot.Any]).Find(new MatchInput()).ShouldBe(1);

    [Fact]
    public void Compile_SharedCombination_TheFirstWins()
    {
        FilterChainTable table = FilterChainTable.Compile(
            [Port(80, "", "h2", "http/1.1"), Port(81), Port(80, "", "http/1.1", "h3"), Port(80, "", "h2")]);
        table.Find(Input("10.0.0.1:80", protocols: ["http/1.1"])).ShouldBe(0);
        table.Find(Input("10.0.0.1:80", protocols: ["h3"])).ShouldBe(2);
    }

    [Fact]
    public void Find_RandomTables_AgreesWithTheDocumentedRule()
    {
        var random = new Random(20);
        int matched = 0;
        for (int round = 0; round < 2_000; round++)
        {
            FilterChainMatchSnapshot[] chains = [.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => RandomChain(random))];
            FilterChainTable table = FilterChainTable.Compile(chains);
            for (int probe = 0; probe < 10; probe++)
            {
                MatchInput input = RandomInput(random);
                List<int> expected = DocumentedRule.Candidates(chains, input);
                int found = table.Find(input);
                found.ShouldBe(expected.Count == 0 ? -1 : expected[0], $"round {round}");
                matched += found >= 0 ? 1 : 0;
            }
        }

        matched.ShouldBeGreaterThan(2_000);
    }

    [Fact]
    public void Find_HotPath_AllocatesNothing()
    {
        FilterChainTable table = FilterChainTable.Compile([.. VirtualInbound, new() { ServerNames = ["*.example.com"] }]);
        MatchInput input = Input("10.0.0.1:9080", "x.example.com", "tls", protocols: ["h2", "istio"]);
        table.Find(input);
        Allocations.OfEvery(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                table.Find(input);
            }
        }).ShouldBe(0);
    }

    private static FilterChainMatchSnapshot RandomChain(Random random) => new()
    {
        DestinationPort = random.Next(2) == 0 ? null : random.Next(80, 82),
        PrefixRanges = [.. Some(random, Networks).Select(n => IPNetwork.Parse(n))],
        ServerNames = Some(random, Names),
        TransportProtocol = new[] { "", "", "tls", "raw_buffer" }[random.Next(4)],
        ApplicationProtocols = Some(random, Protocols),
        DirectSourcePrefixRanges = [.. Some(random, Networks).Select(n => IPNetwork.Parse(n))],
        SourceType = (SourceType)random.Next(3),
        SourcePrefixRanges = [.. Some(random, Networks).Select(n => IPNetwork.Parse(n))],
        SourcePorts = [.. random.Next(4) == 0 ? [random.Next(1, 3)] : Array.Empty<int>()],
    };

    private static ImmutableArray<string> Some(Random random, string[] from) =>
        random.Next(3) > 0 ? [] : [.. from.Where(_ => random.Next(3) == 0)];

    private static MatchInput RandomInput(Random random) => new()
    {
        Destination = new IPEndPoint(IPAddress.Parse(One(random, Addresses)), random.Next(80, 83)),
        ServerName = random.Next(3) == 0 ? null : One(random, Sniffed),
        TransportProtocol = random.Next(2) == 0 ? "tls" : "raw_buffer",
        ApplicationProtocols = [.. Protocols.OrderBy(_ => random.Next()).Take(random.Next(4))],
        DirectSource = new IPEndPoint(IPAddress.Parse(One(random, Addresses)), 5),
        Source = new IPEndPoint(IPAddress.Parse(One(random, Addresses)), random.Next(1, 4)),
    };

    private static string One(Random random, string[] from) => from[random.Next(from.Length)];
}

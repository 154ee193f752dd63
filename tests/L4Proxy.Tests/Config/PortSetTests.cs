using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;
using Int32Range = MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3.Int32Range;
using Rule = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.ListenerFilterChainMatchPredicate;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Predicates over destination ports: sets of ranges, whatever they are put together from.</summary>
public sealed class PortSetTests
{
    private static readonly int[] AroundTheEdges = [0, 1, 2, 79, 80, 81, 82, 442, 443, 444, 65533, 65534, 65535];

    [Fact]
    public void Compile_MeansWhatItsRulesMean_AtEveryPort()
    {
        var random = new Random(20261121);
        for (int round = 0; round < 200; round++)
        {
            Rule rule = Any(random, 4);
            PortSet ports = Compile(rule);
            foreach (int port in AroundTheEdges)
            {
                ports.Contains(port).ShouldBe(Holds(rule, port), $"port {port} of {rule}");
            }
        }
    }

    [Fact]
    public void Compile_ThousandsOfRanges_CostsWhatTheyTake()
    {
        var many = new Rule { OrMatch = new() };
        many.OrMatch.Rules.AddRange(Enumerable.Range(0, 20_000).Select(static i => Ports(i * 3, (i * 3) + 1)));
        Rule nested = Nest(many, 15);
        long before = GC.GetAllocatedBytesForCurrentThread();
        PortSet ports = Compile(nested);
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(64 << 20, "a port bitmap a rule would be 1.3 GB");
        ports.Contains(3 * 777).ShouldBeTrue();
        ports.Contains((3 * 777) + 1).ShouldBeFalse();
    }

    [Fact]
    public void Compile_EqualPredicates_AreEqual_SoThatAnUpdateLeavesTheListenerAlone()
    {
        Rule rule = new() { OrMatch = new() { Rules = { Ports(80, 81), Ports(3306, 3307) } } };
        Compile(rule).ShouldBe(Compile(rule.Clone()));
        Compile(rule).ShouldNotBe(Compile(Ports(80, 81)));
    }

    [Fact]
    public void Compile_TooDeep_IsRefusedByItsPlace()
    {
        var issues = new IssueCollector();
        var two = new Rule { OrMatch = new() { Rules = { Ports(1, 2), Ports(3, 4) } } };
        FilterDisabledPredicate.Compile(Nest(two, 16), new DecodeScope(issues, "filter_disabled")).ShouldBeNull();
        issues.Issues.ShouldHaveSingleItem().ToString().ShouldContain(".rules[0].or_match: rules are nested deeper than 16");
    }

    private static PortSet Compile(Rule rule)
    {
        var issues = new IssueCollector();
        PortSet? ports = FilterDisabledPredicate.Compile(rule, new DecodeScope(issues, ""));
        issues.Issues.ShouldBeEmpty();
        return ports.ShouldNotBeNull();
    }

    private static Rule Ports(int start, int end) => new() { DestinationPortRange = new Int32Range { Start = start, End = end } };

    private static Rule Nest(Rule rule, int times) => times == 0 ? rule : new Rule { OrMatch = new() { Rules = { Nest(rule, times - 1) } } };

    private static Rule Any(Random random, int depth)
    {
        switch (depth == 0 ? 0 : random.Next(5))
        {
            case 1:
                return new Rule { NotMatch = Any(random, depth - 1) };
            case 2:
                var either = new Rule { OrMatch = new() };
                either.OrMatch.Rules.AddRange(Enumerable.Range(0, random.Next(4)).Select(_ => Any(random, depth - 1)));
                return either;
            case 3:
                var all = new Rule { AndMatch = new() };
                all.AndMatch.Rules.AddRange(Enumerable.Range(0, random.Next(4)).Select(_ => Any(random, depth - 1)));
                return all;
            case 4:
                return new Rule { AnyMatch = random.Next(2) == 0 };
            default:
                int[] edges = [-5, 0, 1, 80, 81, 443, 65534, 65535, 65536, 70000];
                return Ports(edges[random.Next(edges.Length)], edges[random.Next(edges.Length)]);
        }
    }

    private static bool Holds(Rule rule, int port) => rule.RuleCase switch
    {
        Rule.RuleOneofCase.AnyMatch => rule.AnyMatch,
        Rule.RuleOneofCase.DestinationPortRange => port >= rule.DestinationPortRange.Start && port < rule.DestinationPortRange.End,
        Rule.RuleOneofCase.NotMatch => !Holds(rule.NotMatch, port),
        Rule.RuleOneofCase.OrMatch => rule.OrMatch.Rules.Any(one => Holds(one, port)),
        _ => rule.AndMatch.Rules.All(one => Holds(one, port)),
    };
}

using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Compiles <c>ListenerFilterChainMatchPredicate</c> into a set of ports. All rules look at the destination port only, so the
/// predicate is evaluated once per port here and costs one bit test per connection.
/// </summary>
internal static class FilterDisabledPredicate
{
    private const int DeepestRules = 16;

    /// <summary>A function of the destination port: true means the filter does not run. Null, with an error, when a rule is wrong.</summary>
    public static Func<int, bool>? Compile(ListenerFilterChainMatchPredicate predicate, DecodeScope scope)
    {
        bool[]? ports = Evaluate(predicate, scope, 0);
        if (ports is null)
        {
            return null;
        }

        return port => (uint)port < (uint)ports.Length && ports[port];
    }

    private static bool[]? Evaluate(ListenerFilterChainMatchPredicate rule, DecodeScope scope, int depth)
    {
        if (depth > DeepestRules)
        {
            scope.Error($"rules are nested deeper than {DeepestRules}");
            return null;
        }

        switch (rule.RuleCase)
        {
            case ListenerFilterChainMatchPredicate.RuleOneofCase.AnyMatch:
                return Ports(_ => rule.AnyMatch);
            case ListenerFilterChainMatchPredicate.RuleOneofCase.DestinationPortRange:
                return Ports(port => port >= rule.DestinationPortRange.Start && port < rule.DestinationPortRange.End);
            case ListenerFilterChainMatchPredicate.RuleOneofCase.NotMatch:
                bool[]? inner = Evaluate(rule.NotMatch, scope.Field("not_match"), depth + 1);
                return inner is null ? null : Ports(port => !inner[port]);
            case ListenerFilterChainMatchPredicate.RuleOneofCase.OrMatch:
                return Combine(rule.OrMatch, scope.Field("or_match"), depth, false, static (a, b) => a || b);
            case ListenerFilterChainMatchPredicate.RuleOneofCase.AndMatch:
                return Combine(rule.AndMatch, scope.Field("and_match"), depth, true, static (a, b) => a && b);
            default:
                scope.Error("a rule is required");
                return null;
        }
    }

    private static bool[]? Combine(
        ListenerFilterChainMatchPredicate.Types.MatchSet set, DecodeScope scope, int depth, bool start, Func<bool, bool, bool> with)
    {
        bool[]? all = Ports(_ => start);
        for (int i = 0; i < set.Rules.Count; i++)
        {
            bool[]? one = Evaluate(set.Rules[i], scope.Item("rules", i), depth + 1);
            bool[]? before = all;
            all = one is null || before is null ? null : Ports(port => with(before[port], one[port]));
        }

        return all;
    }

    private static bool[] Ports(Func<int, bool> holds)
    {
        var ports = new bool[ushort.MaxValue + 1];
        for (int port = 0; port < ports.Length; port++)
        {
            ports[port] = holds(port);
        }

        return ports;
    }
}

using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using Rule = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.ListenerFilterChainMatchPredicate;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Compiles <c>ListenerFilterChainMatchPredicate</c>. All rules look at the destination port only, so that a predicate is a set of ports,
/// and however it is nested it costs what its ranges take.
/// </summary>
internal static class FilterDisabledPredicate
{
    private const int DeepestRules = 16;

    /// <summary>The destination ports on which the filter does not run. Null, with an error, when a rule is wrong.</summary>
    public static PortSet? Compile(Rule predicate, DecodeScope scope) => Evaluate(predicate, scope, 0);

    private static PortSet? Evaluate(Rule rule, DecodeScope scope, int depth)
    {
        switch (rule.RuleCase)
        {
            case Rule.RuleOneofCase.AnyMatch:
                return rule.AnyMatch ? PortSet.All : PortSet.None;
            case Rule.RuleOneofCase.DestinationPortRange:
                return PortSet.Range(rule.DestinationPortRange.Start, rule.DestinationPortRange.End);
            case Rule.RuleOneofCase.NotMatch:
                return IsTooDeep(depth, scope.Field("not_match")) ? null : Evaluate(rule.NotMatch, scope.Field("not_match"), depth + 1)?.Complement();
            case Rule.RuleOneofCase.OrMatch:
                return Each(rule.OrMatch, scope.Field("or_match"), depth) is { } either ? PortSet.Union(either) : null;
            case Rule.RuleOneofCase.AndMatch:
                return Each(rule.AndMatch, scope.Field("and_match"), depth) is { } all ? PortSet.Intersection(all) : null;
            default:
                scope.Error("a rule is required");
                return null;
        }
    }

    /// <summary>Null when one of the rules is wrong.</summary>
    private static List<PortSet>? Each(ListenerFilterChainMatchPredicate.Types.MatchSet set, DecodeScope scope, int depth)
    {
        if (IsTooDeep(depth, scope))
        {
            return null;
        }

        var sets = new List<PortSet>(set.Rules.Count);
        for (int i = 0; i < set.Rules.Count; i++)
        {
            if (Evaluate(set.Rules[i], scope.Item("rules", i), depth + 1) is { } one)
            {
                sets.Add(one);
            }
        }

        return sets.Count == set.Rules.Count ? sets : null;
    }

    /// <summary>Told once, however many rules stand there.</summary>
    private static bool IsTooDeep(int depth, DecodeScope scope)
    {
        if (depth >= DeepestRules)
        {
            scope.Error($"rules are nested deeper than {DeepestRules}");
        }

        return depth >= DeepestRules;
    }
}

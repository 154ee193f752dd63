using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Xds.Type.Matcher.V3;
using MeshL4.L4Proxy.Matching;
using XdsCore = MeshL4.L4Proxy.Config.Protos.Xds.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Compiles <c>xds.type.matcher.v3.Matcher</c> trees. A nested matcher that finds nothing
/// counts as no match of the entry it stands in (comment on <c>OnMatch</c> in matcher.proto). Recursion follows the message,
/// whose depth its reader bounds.
/// </summary>
/// <param name="action">Compiles an action; errors go to the scope.</param>
internal sealed class MatcherTreeDecoder(Func<XdsCore.TypedExtensionConfig, DecodeScope, string> action)
{
    private static readonly ChainNameSelector Nothing = static (in _) => null;

    public ChainNameSelector Decode(Matcher matcher, DecodeScope scope)
    {
        ChainNameSelector otherwise = matcher.OnNoMatch is { } no ? OnMatch(no, scope.Field("on_no_match")) : Nothing;
        ChainNameSelector found = matcher.MatcherTypeCase switch
        {
            Matcher.MatcherTypeOneofCase.MatcherList => List(matcher.MatcherList, scope.Field("matcher_list")),
            Matcher.MatcherTypeOneofCase.MatcherTree => new MatcherMapDecoder(OnMatch).Decode(matcher.MatcherTree, scope.Field("matcher_tree")),
            _ => Nothing,
        };
        return (in input) => found(input) ?? otherwise(input);
    }

    private ChainNameSelector OnMatch(Matcher.Types.OnMatch? match, DecodeScope scope)
    {
        switch (match?.OnMatchCase)
        {
            case Matcher.Types.OnMatch.OnMatchOneofCase.Matcher:
                return Decode(match.Matcher, scope.Field("matcher"));
            case Matcher.Types.OnMatch.OnMatchOneofCase.Action:
                string named = action(match.Action, scope.Field("action"));
                return (in _) => named;
            default:
                scope.Error("a matcher or an action is required");
                return Nothing;
        }
    }

    private ChainNameSelector List(Matcher.Types.MatcherList list, DecodeScope scope)
    {
        if (list.Matchers.Count == 0)
        {
            scope.Field("matchers").Error("must not be empty");
        }

        (ConnectionPredicate Holds, ChainNameSelector Then)[] entries = [.. list.Matchers.Select((entry, i) =>
            (Predicate(entry.Predicate, scope.Item("matchers", i).Field("predicate")), OnMatch(entry.OnMatch, scope.Item("matchers", i).Field("on_match"))))];
        return (in input) =>
        {
            foreach ((ConnectionPredicate holds, ChainNameSelector then) in entries)
            {
                if (holds(input) && then(input) is { } name)
                {
                    return name;
                }
            }

            return null;
        };
    }

    private static ConnectionPredicate Predicate(Matcher.Types.MatcherList.Types.Predicate? predicate, DecodeScope scope)
    {
        switch (predicate?.MatchTypeCase)
        {
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.SinglePredicate:
                return Single(predicate.SinglePredicate, scope.Field("single_predicate"));
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.OrMatcher:
                return ConnectionPredicates.Any(Each(predicate.OrMatcher.Predicate, scope.Field("or_matcher")));
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.AndMatcher:
                return ConnectionPredicates.All(Each(predicate.AndMatcher.Predicate, scope.Field("and_matcher")));
            case Matcher.Types.MatcherList.Types.Predicate.MatchTypeOneofCase.NotMatcher:
                return ConnectionPredicates.Not(Predicate(predicate.NotMatcher, scope.Field("not_matcher")));
            default:
                scope.Error("a predicate is required");
                return ConnectionPredicates.Never;
        }
    }

    private static ConnectionPredicate[] Each(RepeatedField<Matcher.Types.MatcherList.Types.Predicate> predicates, DecodeScope scope)
    {
        if (predicates.Count < 2)
        {
            scope.Field("predicate").Error("at least two are required");
        }

        return [.. predicates.Select((one, i) => Predicate(one, scope.Item("predicate", i)))];
    }

    private static ConnectionPredicate Single(Matcher.Types.MatcherList.Types.Predicate.Types.SinglePredicate single, DecodeScope scope)
    {
        MatcherInputs.Input? text = MatcherInputs.Text(single.Input?.TypedConfig, scope.Field("input"));
        if (single.ValueMatch is not { } value)
        {
            scope.Error($"a value_match is required; custom_match '{TypedConfig.TypeName(single.CustomMatch?.TypedConfig)}' is not supported");
            return ConnectionPredicates.Never;
        }

        TextPredicate? matches = StringMatcherDecoder.Decode(value, scope.Field("value_match"));
        return text is null || matches is null ? ConnectionPredicates.Never : (in input) => text(input) is { } found && matches(found);
    }
}

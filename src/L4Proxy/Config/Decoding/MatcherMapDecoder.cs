using System.Collections.Frozen;
using System.Net;
using MeshL4.L4Proxy.Config.Protos.Xds.Type.Matcher.V3;
using MeshL4.L4Proxy.Matching;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the maps of a matcher tree: exact text, longest prefix of a text, longest address prefix.</summary>
/// <param name="onMatch">Compiles what an entry leads to.</param>
internal sealed class MatcherMapDecoder(Func<Matcher.Types.OnMatch?, DecodeScope, ChainNameSelector> onMatch)
{
    private static readonly ChainNameSelector Nothing = static (in _) => null;

    public ChainNameSelector Decode(Matcher.Types.MatcherTree tree, DecodeScope scope)
    {
        DecodeScope input = scope.Field("input");
        switch (tree.TreeTypeCase)
        {
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.ExactMatchMap:
                return MatcherInputs.Text(tree.Input?.TypedConfig, input) is { } text ? Exact(tree.ExactMatchMap, text, scope.Field("exact_match_map")) : Nothing;
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.PrefixMatchMap:
                return MatcherInputs.Text(tree.Input?.TypedConfig, input) is { } begun ? Prefix(tree.PrefixMatchMap, begun, scope.Field("prefix_match_map")) : Nothing;
            case Matcher.Types.MatcherTree.TreeTypeOneofCase.CustomMatch when TypedConfig.Is<IPMatcher>(tree.CustomMatch.TypedConfig):
                DecodeScope custom = scope.Field("custom_match.typed_config");
                return MatcherInputs.Address(tree.Input?.TypedConfig, input) is { } end
                    && TypedConfig.Unpack<IPMatcher>(tree.CustomMatch.TypedConfig, custom) is { } ip ? Addresses(ip, end, custom) : Nothing;
            default:
                scope.Error($"an exact_match_map, a prefix_match_map or an IPMatcher is required, not '{TypedConfig.TypeName(tree.CustomMatch?.TypedConfig)}'");
                return Nothing;
        }
    }

    private ChainNameSelector Exact(Matcher.Types.MatcherTree.Types.MatchMap map, MatcherInputs.Input text, DecodeScope scope)
    {
        FrozenDictionary<string, ChainNameSelector> entries = Entries(map, scope).ToFrozenDictionary(StringComparer.Ordinal);
        return (in input) => text(input) is { } key && entries.TryGetValue(key, out ChainNameSelector? then) ? then(input) : null;
    }

    /// <summary>An entry that leads nowhere gives way to a shorter prefix.</summary>
    private ChainNameSelector Prefix(Matcher.Types.MatcherTree.Types.MatchMap map, MatcherInputs.Input text, DecodeScope scope)
    {
        KeyValuePair<string, ChainNameSelector>[] entries = [.. Entries(map, scope).OrderByDescending(static one => one.Key.Length)];
        return (in input) =>
        {
            string? key = text(input);
            foreach ((string prefix, ChainNameSelector then) in key is null ? [] : entries)
            {
                if (key!.StartsWith(prefix, StringComparison.Ordinal) && then(input) is { } name)
                {
                    return name;
                }
            }

            return null;
        };
    }

    private Dictionary<string, ChainNameSelector> Entries(Matcher.Types.MatcherTree.Types.MatchMap map, DecodeScope scope)
    {
        if (map.Map.Count == 0)
        {
            scope.Field("map").Error("must not be empty");
        }

        return map.Map.ToDictionary(static one => one.Key, one => onMatch(one.Value, scope.Field($"map[\"{one.Key}\"]")), StringComparer.Ordinal);
    }

    /// <summary>Longest prefix first; an exclusive range that leads nowhere ends the search, any other gives way to a shorter prefix.</summary>
    private ChainNameSelector Addresses(IPMatcher matcher, ConnectionPredicates.End end, DecodeScope scope)
    {
        var ranges = new List<(AddressBits Prefix, int Length, ChainNameSelector Then, bool Exclusive)>();
        for (int i = 0; i < matcher.RangeMatchers.Count; i++)
        {
            IPMatcher.Types.IPRangeMatcher one = matcher.RangeMatchers[i];
            DecodeScope at = scope.Item("range_matchers", i);
            ChainNameSelector then = onMatch(one.OnMatch, at.Field("on_match"));
            for (int r = 0; r < one.Ranges.Count; r++)
            {
                var range = new Core.CidrRange { AddressPrefix = one.Ranges[r].AddressPrefix, PrefixLen = one.Ranges[r].PrefixLen };
                if (AddressDecoder.DecodeRange(range, at.Item("ranges", r)) is { } network)
                {
                    ranges.Add((AddressBits.From(network.BaseAddress), network.PrefixLength, then, one.Exclusive));
                }
            }
        }

        ranges.Sort(static (a, b) => b.Length.CompareTo(a.Length));
        return (in input) => end(input) is { } address ? Find(ranges, address.Address, input) : null;
    }

    private static string? Find(List<(AddressBits Prefix, int Length, ChainNameSelector Then, bool Exclusive)> ranges, IPAddress address, in MatchInput input)
    {
        AddressBits bits = AddressBits.From(address);
        foreach ((AddressBits prefix, int length, ChainNameSelector then, bool exclusive) in ranges)
        {
            if (bits.IsV6 != prefix.IsV6 || bits.Prefix(length) != prefix)
            {
                continue;
            }

            string? name = then(input);
            if (name is not null || exclusive)
            {
                return name;
            }
        }

        return null;
    }
}

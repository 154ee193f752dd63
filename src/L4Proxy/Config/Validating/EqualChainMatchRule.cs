using System.Globalization;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>
/// No two chains of a listener match the same: which one ran would be chance. And they do not stand for more combinations of values than a
/// table of chains may have leaves: lists of a few kilobytes can stand for millions.
/// </summary>
internal static class EqualChainMatchRule
{
    /// <summary>Of all chains of a listener.</summary>
    private const long MostCombinations = 100_000;

    public static void Check(ListenerSnapshot listener, DecodeScope scope)
    {
        if (listener.ChainSelector is not null)
        {
            return; // the tree decides, and the chains' own criteria are not looked at
        }

        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        long combinations = 0;
        for (int i = 0; i < listener.FilterChains.Length; i++)
        {
            combinations += listener.FilterChains[i].Match.Combinations;
            if (combinations > MostCombinations)
            {
                scope.Item("filter_chains", i).Field("filter_chain_match").Error($"the chains up to this one stand for {combinations} combinations of values: {MostCombinations} are the most");
                return;
            }

            foreach (string criteria in Combinations(listener.FilterChains[i].Match).Distinct(StringComparer.Ordinal))
            {
                if (!seen.TryAdd(criteria, i))
                {
                    scope.Item("filter_chains", i).Field("filter_chain_match").Error($"matches the same as filter_chains[{seen[criteria]}]: {criteria}");
                    break;
                }
            }
        }
    }

    /// <summary>Every single combination a match stands for.</summary>
    private static IEnumerable<string> Combinations(FilterChainMatchSnapshot match)
    {
        string[][] lists =
        [
            [match.DestinationPort?.ToString(CultureInfo.InvariantCulture) ?? "*"],
            Values(match.PrefixRanges), Values(match.ServerNames), [match.TransportProtocol], Values(match.ApplicationProtocols),
            Values(match.DirectSourcePrefixRanges), [match.SourceType.ToString()], Values(match.SourcePrefixRanges), Values(match.SourcePorts),
        ];
        IEnumerable<string> combinations = [""];
        return lists.Aggregate(combinations, (so, list) => so.SelectMany(start => list.Select(value => start + "/" + value)));
    }

    private static string[] Values<T>(IReadOnlyCollection<T> values)
        => values.Count == 0 ? ["*"] : [.. values.Select(value => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")];
}

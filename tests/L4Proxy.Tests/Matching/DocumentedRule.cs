using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Tests.Matching;

/// <summary>
/// The documented rule written down literally: at each step score every remaining chain, keep those with the best
/// score, drop all that do not match. Slow and obvious; the table must agree with it.
/// </summary>
internal static class DocumentedRule
{
    public static List<int> Candidates(IReadOnlyList<FilterChainMatchSnapshot> chains, MatchInput input)
    {
        List<int> left = [.. Enumerable.Range(0, chains.Count)];
        Keep(m => m.DestinationPort is { } p ? (p == input.Destination!.Port ? 1 : -1) : 0);
        Keep(m => Prefix(m.PrefixRanges, input.Destination!.Address));
        Keep(m => Name(m.ServerNames, input.ServerName));
        Keep(m => m.TransportProtocol.Length == 0 ? 0 : m.TransportProtocol == input.TransportProtocol ? 1 : -1);
        Keep(m => Protocol(m.ApplicationProtocols, input.ApplicationProtocols));
        Keep(m => Prefix(m.DirectSourcePrefixRanges, input.DirectSource!.Address));
        Keep(m => Source(m.SourceType, input));
        Keep(m => Prefix(m.SourcePrefixRanges, input.Source!.Address));
        Keep(m => m.SourcePorts.IsEmpty ? 0 : m.SourcePorts.Contains(input.Source!.Port) ? 1 : -1);
        return left;

        void Keep(Func<FilterChainMatchSnapshot, int> score)
        {
            int best = left.Select(i => score(chains[i])).DefaultIfEmpty(-1).Max();
            left = best < 0 ? [] : [.. left.Where(i => score(chains[i]) == best)];
        }
    }

    private static int Prefix(ImmutableArray<IPNetwork> ranges, IPAddress address) =>
        ranges.IsEmpty ? 0 : ranges.Where(r => r.Contains(address)).Select(r => r.PrefixLength).DefaultIfEmpty(-1).Max();

    private static int Name(ImmutableArray<string> names, string? name)
    {
        if (names.IsEmpty)
        {
            return 0;
        }

        return name is null ? -1 : names.Select(n => One(n, name)).Max();

        static int One(string configured, string name)
        {
            bool suffix = configured.StartsWith("*.", StringComparison.Ordinal)
                && name.Length >= configured.Length && name.EndsWith(configured[1..], StringComparison.Ordinal);
            return configured == name ? 1000 : suffix ? configured.Length : -1;
        }
    }

    private static int Protocol(ImmutableArray<string> names, ImmutableArray<string> offered)
    {
        if (names.IsEmpty)
        {
            return 0;
        }

        int first = offered.IndexOf(offered.FirstOrDefault(names.Contains, "\0"));
        return first < 0 ? -1 : 1000 - first;
    }

    private static int Source(SourceType type, MatchInput input)
    {
        bool local = IPAddress.IsLoopback(input.Source!.Address) || input.Source.Address.Equals(input.Destination!.Address);
        return type switch
        {
            SourceType.SameIpOrLoopback => local ? 1 : -1,
            SourceType.External => local ? -1 : 1,
            _ => 0,
        };
    }
}

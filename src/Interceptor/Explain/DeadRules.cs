using System.Globalization;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Explain;

/// <summary>A rule that no packet reaches, because every packet it is for meets another one first.</summary>
/// <param name="Chain">Where all of them are.</param>
/// <param name="Dead">Its number in the chain, from 1.</param>
/// <param name="Covering">The numbers of the rules before it that take its packets; none of them could be missing.</param>
internal sealed record DeadRule(RedirectChain Chain, int Dead, IReadOnlyList<int> Covering)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        string covering = Covering is [int one]
            ? string.Create(CultureInfo.InvariantCulture, $"rule {one} covers it")
            : $"rules {string.Join(", ", Covering.SkipLast(1))} and {Covering[^1]} cover it together";
        return string.Create(CultureInfo.InvariantCulture,
            $"{Chain.Name} rule {Dead} is never reached, for {covering}: {PlanText.Line(Chain.Rules[Dead - 1], Chain.Inbound)}");
    }
}

/// <summary>Finds rules that earlier rules make useless, one alone or several together: most often a request that other requests take back.
/// What it names is dead. What numbers do not tell (interfaces, marks, states) must be the same for every rule that covers.</summary>
internal static class DeadRules
{
    // Taking rule after rule away leaves ever more parts; where it gets confusing nothing is said.
    private const int MostParts = 1000;

    private static readonly AddressFamily[] Families = [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6];

    /// <summary>In the order of the plan.</summary>
    public static IReadOnlyList<DeadRule> Of(RedirectPlan plan) => [.. plan.Chains.SelectMany(Of)];

    private static IEnumerable<DeadRule> Of(RedirectChain chain)
    {
        for (int later = 1; later < chain.Rules.Count; later++)
        {
            int[] before = [.. Enumerable.Range(0, later).Where(e => Ends(chain.Rules[e].Verdict) && ComesFirst(chain, e, later))];
            if (Covering(chain, before, later) is { } covering)
            {
                yield return new(chain, later + 1, [.. covering.Select(e => e + 1)]);
            }
        }
    }

    // TPROXY goes on to the next rule where nobody listens.
    private static bool Ends(RuleVerdict verdict) => verdict.EndsChain && verdict.Kind != VerdictKind.Tproxy;

    // Does everything but numbers that the earlier rule asks for hold for each packet of the later one, and did it when the packet was there?
    private static bool ComesFirst(RedirectChain chain, int earlier, int later) => chain.Rules[earlier].Matches.Where(m => !PacketSpace.IsNumeric(m))
        .All(m => chain.Rules[later].Matches.Any(n => Implies(n, m)) && (!CanChange(m) || !chain.Rules.Skip(earlier + 1).Take(later - earlier - 1).Any(r => Changes(r.Verdict))));

    private static bool CanChange(RuleMatch match) => match is MarkMatch or ConnectionMarkMatch or LearnedMatch;

    private static bool Changes(RuleVerdict verdict) => verdict.Kind is VerdictKind.Mark or VerdictKind.SaveMark or VerdictKind.RestoreMark
        or VerdictKind.Tproxy or VerdictKind.Remember or VerdictKind.Forget;

    private static bool Implies(RuleMatch narrow, RuleMatch wide) => (narrow, wide) switch
    {
        (InterfaceMatch { Negated: false } n, InterfaceMatch { Negated: false } w) => w.Name.EndsWith('+') ? n.Name.StartsWith(w.Name[..^1], StringComparison.Ordinal) : n.Name == w.Name,
        _ => narrow == wide,
    };

    private static IReadOnlyList<int>? Covering(RedirectChain chain, int[] before, int later)
    {
        PacketSpace?[] wanted = [.. Families.Select(f => PacketSpace.Of(chain.Rules[later], f))];
        if (Array.TrueForAll(wanted, w => w is null))
        {
            return null;
        }

        foreach (int one in before.Where(e => Cover(chain, [e], wanted)))
        {
            return [one];
        }

        List<int> all = [.. before];
        if (!Cover(chain, all, wanted))
        {
            return null;
        }

        // The latest first: what is left reads from the top.
        foreach (int one in before.Reverse())
        {
            List<int> fewer = [.. all.Where(e => e != one)];
            all = Cover(chain, fewer, wanted) ? fewer : all;
        }

        return all;
    }

    private static bool Cover(RedirectChain chain, IReadOnlyList<int> rules, PacketSpace?[] wanted)
    {
        for (int family = 0; family < Families.Length; family++)
        {
            List<PacketSpace> left = wanted[family] is { } space ? [space] : [];
            foreach (PacketSpace taken in rules.Select(e => PacketSpace.Of(chain.Rules[e], Families[family])).OfType<PacketSpace>())
            {
                left = [.. left.SelectMany(l => l.Without(taken)).Take(MostParts + 1)];
                if (left.Count > MostParts)
                {
                    return false;
                }
            }

            if (left.Count > 0)
            {
                return false;
            }
        }

        return true;
    }
}

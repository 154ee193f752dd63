using System.Globalization;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Render;

namespace MeshL4.Interceptor.Explain;

/// <summary>A rule that no packet reaches, because every packet it is for meets another one first.</summary>
/// <param name="Chain">Where both are.</param>
/// <param name="Dead">Its number in the chain, from 1.</param>
/// <param name="Covering">The number of the rule before it.</param>
internal sealed record DeadRule(RedirectChain Chain, int Dead, int Covering)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Chain.Name} rule {Dead} is never reached, for rule {Covering} covers it: {PlanText.Line(Chain.Rules[Dead - 1], Chain.Inbound)}");
}

/// <summary>Finds rules that one earlier rule makes useless: most often a request that another request takes back. What it names is
/// dead; a rule that only several others cover together is not found.</summary>
internal static class DeadRules
{
    /// <summary>In the order of the plan.</summary>
    public static IReadOnlyList<DeadRule> Of(RedirectPlan plan) => [.. plan.Chains.SelectMany(Of)];

    private static IEnumerable<DeadRule> Of(RedirectChain chain)
    {
        for (int later = 1; later < chain.Rules.Count; later++)
        {
            for (int earlier = 0; earlier < later; earlier++)
            {
                if (Ends(chain.Rules[earlier].Verdict) && Covers(chain.Rules[earlier], chain.Rules[later]))
                {
                    yield return new(chain, later + 1, earlier + 1);
                    break;
                }
            }
        }
    }

    // TPROXY goes on to the next rule where nobody listens.
    private static bool Ends(RuleVerdict verdict) => verdict.EndsChain && verdict.Kind != VerdictKind.Tproxy;

    private static bool Covers(RedirectRule earlier, RedirectRule later) =>
        earlier.Matches.All(m => later.Matches.Any(n => Implies(n, m)) || (m is FamilyMatch f && f.Family == later.Family));

    private static bool Implies(RuleMatch narrow, RuleMatch wide) => (narrow, wide) switch
    {
        (InterfaceMatch { Negated: false } n, InterfaceMatch { Negated: false } w) => w.Name.EndsWith('+') ? n.Name.StartsWith(w.Name[..^1], StringComparison.Ordinal) : n.Name == w.Name,
        (SourceMatch n, SourceMatch w) => Within(n.Blocks, w.Blocks),
        (DestinationMatch n, DestinationMatch w) when n.Negated == w.Negated => w.Negated ? Within(w.Blocks, n.Blocks) : Within(n.Blocks, w.Blocks),
        (TransportMatch n, TransportMatch w) => (n.Transports & ~w.Transports) == 0 && PortsImply(n, w),
        (OwnerMatch n, OwnerMatch w) => n.IsGroup == w.IsGroup && OwnersImply(n, w),
        _ => narrow == wide,
    };

    private static bool PortsImply(TransportMatch n, TransportMatch w) => (n, w) switch
    {
        (_, { Ports: null }) => true,
        ({ Ports: null }, _) => false,
        ({ Negated: false }, { Negated: false }) => Within(n.Ports!, w.Ports!),
        ({ Negated: true }, { Negated: true }) => Within(w.Ports!, n.Ports!),
        ({ Negated: false }, { Negated: true }) => n.Ports!.Ranges.All(r => !w.Ports!.Ranges.Any(o => o.First <= r.Last && r.First <= o.Last)),
        _ => false,
    };

    private static bool OwnersImply(OwnerMatch n, OwnerMatch w) => (n.Negated, w.Negated) switch
    {
        (false, false) => Within(n.Ids, w.Ids),
        (true, true) => Within(w.Ids, n.Ids),
        (false, true) => n.Ids.All(r => !w.Ids.Any(o => o.First <= r.Last && r.First <= o.Last)),
        _ => false,
    };

    private static bool Within(PortSet narrow, PortSet wide) =>
        narrow.Ranges.All(r => wide.Ranges.Any(o => o.First <= r.First && r.Last <= o.Last));

    private static bool Within(IReadOnlyList<IdRange> narrow, IReadOnlyList<IdRange> wide) =>
        narrow.All(r => wide.Any(o => o.First <= r.First && r.Last <= o.Last));

    private static bool Within(CidrSet narrow, CidrSet wide) => narrow.Family == wide.Family
        && narrow.Blocks.All(b => wide.Blocks.Any(o => o.PrefixLength <= b.PrefixLength && o.Contains(b.BaseAddress)));
}

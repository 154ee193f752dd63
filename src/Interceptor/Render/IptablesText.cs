using System.Globalization;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>The plan as rules of the nat table in the words in which iptables-save prints them, so that what is saved can be compared
/// line by line.</summary>
internal static class IptablesText
{
    /// <summary>Every chain of ours starts with this, and nobody else's does.</summary>
    public const string ChainPrefix = "MESHL4_";

    // The kernel's multiport match holds 15 numbers; a range takes two.
    private const int MultiportSlots = 15;

    /// <summary>Names of the chains for <paramref name="plan"/>, in order.</summary>
    public static IReadOnlyList<string> Chains(RedirectPlan plan) => [.. plan.Chains.Select(Chain)];

    /// <summary>Every "-A ..." line for one family, the jumps out of the built-in chains first.</summary>
    public static IReadOnlyList<string> Rules(RedirectPlan plan, AddressFamily family)
    {
        IEnumerable<string> jumps = plan.Chains.Select(c => $"-A {c.Name.ToUpperInvariant()} -j {Chain(c)}");
        IEnumerable<string> rules = plan.Chains.SelectMany(c => c.Rules
            .Where(r => r.Family is null || r.Family == family)
            .SelectMany(r => Expand(r, c.Inbound).Select(text => $"-A {Chain(c)} {text}")));
        return [.. jumps, .. rules];
    }

    /// <summary>Input for <c>iptables-restore --noflush</c> (or ip6tables-restore) on a namespace that has no rules of ours.</summary>
    public static string Restore(RedirectPlan plan, AddressFamily family) => Script(
        [.. Chains(plan).Select(c => $":{c} - [0:0]"), .. Rules(plan, family)]);

    /// <summary>Lines as one transaction on the nat table.</summary>
    public static string Script(IEnumerable<string> lines) => $"*nat\n{string.Join('\n', lines)}\nCOMMIT\n";

    private static string Chain(RedirectChain chain) => ChainPrefix + chain.Name.ToUpperInvariant();

    // One rule of the plan is as many iptables rules as its sets need: matching any of a set multiplies, matching none of it does not.
    private static IEnumerable<string> Expand(RedirectRule rule, bool inbound)
    {
        IEnumerable<string> texts = [""];
        foreach (RuleMatch match in rule.Matches.Where(m => m is not FamilyMatch).OrderBy(Position))
        {
            string[] ways = [.. Ways(match, inbound)];
            texts = texts.SelectMany(t => ways.Select(w => $"{t}{w} "));
        }

        string target = rule.Verdict.Port is int port
            ? string.Create(CultureInfo.InvariantCulture, $"REDIRECT --to-ports {port}")
            : "RETURN";
        return texts.Select(t => $"{t}-m comment --comment \"{rule.Why}\" -j {target}");
    }

    // The order in which iptables-save prints matches.
    private static int Position(RuleMatch match) => match switch
    {
        SourceMatch => 0,
        DestinationMatch => 1,
        InterfaceMatch => 2,
        TransportMatch => 3,
        _ => 4,
    };

    private static IEnumerable<string> Ways(RuleMatch match, bool inbound) => match switch
    {
        InterfaceMatch i => [$"{(inbound ? "-i" : "-o")} {i.Name}"],
        SourceMatch s => s.Blocks.Blocks.Select(b => $"-s {b}"),
        DestinationMatch { Negated: true } d => [string.Join(' ', d.Blocks.Blocks.Select(b => $"! -d {b}"))],
        DestinationMatch d => d.Blocks.Blocks.Select(b => $"-d {b}"),
        TransportMatch t => TransportWays(t),
        OwnerMatch { Negated: true } o => [string.Join(' ', o.Ids.Order().Select(id => $"-m owner ! {Owner(o)} {id}"))],
        OwnerMatch o => o.Ids.Order().Select(id => $"-m owner {Owner(o)} {id}"),
        _ => throw new NotSupportedException($"iptables cannot express {match.GetType().Name}"),
    };

    private static string Owner(OwnerMatch owner) => owner.IsGroup ? "--gid-owner" : "--uid-owner";

    private static IEnumerable<string> TransportWays(TransportMatch t)
    {
        foreach (string protocol in new[] { "tcp", "udp" }.Where(p => t.Transports.HasFlag(p == "tcp" ? Transports.Tcp : Transports.Udp)))
        {
            if (t.Ports is null)
            {
                yield return $"-p {protocol}";
                continue;
            }

            string[] ports = [.. PortMatches(t, protocol)];
            foreach (string way in t.Negated ? [string.Join(' ', ports)] : ports)
            {
                yield return $"-p {protocol} {way}";
            }
        }
    }

    private static IEnumerable<string> PortMatches(TransportMatch t, string protocol)
    {
        string not = t.Negated ? "! " : "";
        var slots = new List<string>();
        int used = 0;
        foreach (PortRange range in t.Ports!.Ranges)
        {
            int cost = range.First == range.Last ? 1 : 2;
            if (used + cost > MultiportSlots)
            {
                yield return Ports(protocol, not, slots);
                slots.Clear();
                used = 0;
            }

            slots.Add(range.ToString().Replace('-', ':'));
            used += cost;
        }

        yield return Ports(protocol, not, slots);
    }

    private static string Ports(string protocol, string not, List<string> slots) => slots.Count == 1
        ? $"-m {protocol} {not}--dport {slots[0]}"
        : $"-m multiport {not}--dports {string.Join(',', slots)}";
}

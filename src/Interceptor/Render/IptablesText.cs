using System.Globalization;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>The plan in the words in which iptables-save prints them, so that what is saved can be compared
/// line by line.</summary>
internal static class IptablesText
{
    /// <summary>Every chain of ours starts with this, and nobody else's does.</summary>
    public const string ChainPrefix = "MESHL4_";

    // The kernel's multiport match holds 15 numbers; a range takes two.
    private const int MultiportSlots = 15;

    private const string Flags = "FIN,SYN,RST,ACK SYN";

    /// <summary>Why iptables has no words for <see cref="InterceptionMode.Transparent"/>.</summary>
    public const string NoTransparent = "transparent mode needs nft: iptables can neither look at the sending socket nor learn ports";

    /// <summary>Why iptables cannot do what <paramref name="plan"/> asks for, or null when it can.</summary>
    public static string? Obstacle(RedirectPlan plan) => plan.Sets.Count > 0
        ? NoTransparent
        : plan.Chains.SelectMany(c => c.Rules).SelectMany(r => r.Matches).OfType<OwnerMatch>().Where(m => m.Negated)
            .Select(m => OptionsCheck.TooManyGroups(m.Ids.Count)).OfType<string>().Select(tooMany => $"--istio-outbound-owner-groups: {tooMany}").FirstOrDefault();

    /// <summary>Every line for one family, each with its table before it: declarations of our chains ("nat :MESHL4_OUTPUT - [0:0]"), the
    /// jumps out of the built-in chains, and our rules ("nat -A ...").</summary>
    public static IReadOnlyList<string> Lines(RedirectPlan plan, AddressFamily family)
    {
        IEnumerable<string> chains = plan.Chains.Select(c => $"{Table(c)} :{Chain(c)} - [0:0]");
        IEnumerable<string> jumps = plan.Chains.Select(c => $"{Table(c)} -A {c.Hook.ToUpperInvariant()} -j {Chain(c)}");
        IEnumerable<string> rules = plan.Chains.SelectMany(c => c.Rules
            .Where(r => r.Family is null || r.Family == family)
            .SelectMany(r => Expand(r, c.Inbound, family).Select(text => $"{Table(c)} -A {Chain(c)} {text}")));
        return [.. chains, .. jumps, .. rules];
    }

    /// <summary>Input for <c>iptables-restore --noflush</c> (or ip6tables-restore) on a namespace that has no rules of ours.</summary>
    public static string Restore(RedirectPlan plan, AddressFamily family) => Script(Lines(plan, family));

    /// <summary>Lines with their tables before them as one transaction a table.</summary>
    public static string Script(IReadOnlyList<string> lines) => string.Concat(Transactions(lines));

    /// <summary>The same, a table each, in the order in which they have to be committed.</summary>
    public static IEnumerable<string> Transactions(IReadOnlyList<string> lines) => Order(lines)
        .Select(t => (Table: t, Lines: lines.Where(l => l.StartsWith($"{t} ", StringComparison.Ordinal)).Select(l => l[(t.Length + 1)..]).ToArray()))
        .Where(t => t.Lines.Length > 0)
        .Select(t => $"*{t.Table}\n{string.Join('\n', t.Lines)}\nCOMMIT\n");

    // What begins to capture is committed before what ceases to: between two commits both do, never neither. nat comes last but for that,
    // so that nothing is redirected before the tables it relies on are there.
    private static IEnumerable<string> Order(IReadOnlyList<string> lines) =>
        new (string Table, string Captures)[] { ("raw", "-j CT "), ("mangle", "-j TPROXY "), ("nat", "") }
            .OrderBy(t => t.Captures.Length > 0 && Any(lines, $"{t.Table} -D ", "") && !Any(lines, $"{t.Table} -A ", t.Captures))
            .Select(t => t.Table);

    private static bool Any(IReadOnlyList<string> lines, string start, string part) =>
        lines.Any(l => l.StartsWith(start, StringComparison.Ordinal) && l.Contains(part, StringComparison.Ordinal));

    private static string Table(RedirectChain chain) => chain.Table.ToString().ToLowerInvariant();

    private static string Chain(RedirectChain chain) => ChainPrefix + chain.Hook.ToUpperInvariant();

    // One rule of the plan is as many iptables rules as its sets need: matching any of a set multiplies, matching none of it does not.
    private static IEnumerable<string> Expand(RedirectRule rule, bool inbound, AddressFamily family)
    {
        bool opening = rule.Matches.Any(m => m is OpeningMatch or UnderWayMatch);
        IEnumerable<string> texts = [""];
        foreach (RuleMatch match in rule.Matches.Where(m => m is not FamilyMatch).OrderBy(Position))
        {
            string[] ways = [.. Ways(match, inbound, opening)];
            texts = texts.SelectMany(t => ways.Select(w => $"{t}{w} "));
        }

        string comment = $"-m comment --comment \"{rule.Why}\"";
        IEnumerable<string> lines = texts.Select(t => $"{t}{comment} -j {Target(rule.Verdict, family)}");

        // The MARK target goes on to the next rule; what it marked must not.
        return rule.Verdict.Kind == VerdictKind.MarkAndAccept
            ? lines.Append(string.Create(CultureInfo.InvariantCulture, $"-m mark --mark 0x{rule.Verdict.Number:x} {comment} -j RETURN"))
            : lines;
    }

    private static string Target(RuleVerdict v, AddressFamily family) => v.Kind switch
    {
        VerdictKind.Redirect => string.Create(CultureInfo.InvariantCulture, $"REDIRECT --to-ports {v.Port}"),
        VerdictKind.Tproxy => string.Create(CultureInfo.InvariantCulture,
            $"TPROXY --on-port {v.Port} --on-ip {(family == AddressFamily.InterNetwork ? "0.0.0.0" : "::")} --tproxy-mark 0x{v.Number:x}/0xffffffff"),
        VerdictKind.Mark or VerdictKind.MarkAndAccept => string.Create(CultureInfo.InvariantCulture, $"MARK --set-xmark 0x{v.Number:x}/0xffffffff"),
        VerdictKind.SaveMark => "CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
        VerdictKind.RestoreMark => "CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
        VerdictKind.Drop => "DROP",
        VerdictKind.Zone => string.Create(CultureInfo.InvariantCulture, $"CT --zone {v.Number}"),
        _ => "RETURN",
    };

    // The order in which iptables-save prints matches.
    private static int Position(RuleMatch match) => match switch
    {
        SourceMatch => 0,
        DestinationMatch => 1,
        InterfaceMatch => 2,
        TransportMatch or SourcePortMatch => 3,
        _ => 4,
    };

    private static IEnumerable<string> Ways(RuleMatch match, bool inbound, bool opening) => match switch
    {
        InterfaceMatch i => [$"{(i.Negated ? "! " : "")}{(inbound ? "-i" : "-o")} {i.Name}"],
        SourceMatch s => s.Blocks.Blocks.Select(b => $"-s {b}"),
        DestinationMatch { Negated: true } d => [string.Join(' ', d.Blocks.Blocks.Select(b => $"! -d {b}"))],
        DestinationMatch d => d.Blocks.Blocks.Select(b => $"-d {b}"),
        TransportMatch t => TransportWays(t, opening),
        OwnerMatch { Negated: true } o => [string.Join(' ', o.Ids.Select(id => $"-m owner ! {Owner(o)} {id}"))],
        OwnerMatch o => o.Ids.Select(id => $"-m owner {Owner(o)} {id}"),
        MarkMatch m => [string.Create(CultureInfo.InvariantCulture, $"-m mark {(m.Negated ? "! " : "")}--mark 0x{m.Mark:x}")],
        ConnectionMarkMatch m => [string.Create(CultureInfo.InvariantCulture, $"-m connmark --mark 0x{m.Mark:x}")],
        StateMatch s => [$"-m conntrack --ctstate {(s.State == ConnectionState.Invalid ? "INVALID" : s.State == ConnectionState.New ? "NEW" : "RELATED,ESTABLISHED")}"],
        FromOpenerMatch => ["-m conntrack --ctdir ORIGINAL"],
        SourcePortMatch p => [string.Create(CultureInfo.InvariantCulture, $"-p udp -m udp --sport {p.Port}")],
        OpeningMatch => [$"-m tcp --tcp-flags {Flags}"],
        UnderWayMatch => [$"-m tcp ! --tcp-flags {Flags} -m socket"],
        _ => throw new NotSupportedException($"iptables cannot express {match.GetType().Name}"),
    };

    private static string Owner(OwnerMatch owner) => owner.IsGroup ? "--gid-owner" : "--uid-owner";

    private static IEnumerable<string> TransportWays(TransportMatch t, bool opening)
    {
        foreach (string protocol in new[] { "tcp", "udp" }.Where(p => t.Transports.HasFlag(p == "tcp" ? Transports.Tcp : Transports.Udp)))
        {
            if (t.Ports is null)
            {
                yield return $"-p {protocol}";
                continue;
            }

            string[] ports = [.. PortMatches(t, protocol, opening)];
            foreach (string way in t.Negated ? [string.Join(' ', ports)] : ports)
            {
                yield return $"-p {protocol} {way}";
            }
        }
    }

    private static IEnumerable<string> PortMatches(TransportMatch t, string protocol, bool opening)
    {
        string not = t.Negated ? "! " : "";
        var slots = new List<string>();
        int used = 0;
        foreach (PortRange range in t.Ports!.Ranges)
        {
            int cost = range.First == range.Last ? 1 : 2;
            if (used + cost > MultiportSlots)
            {
                yield return Ports(protocol, not, slots, opening);
                slots.Clear();
                used = 0;
            }

            slots.Add(range.ToString().Replace('-', ':'));
            used += cost;
        }

        yield return Ports(protocol, not, slots, opening);
    }

    // The protocol's own match is said once a rule, and looks at the flags there.
    private static string Ports(string protocol, string not, List<string> slots, bool opening) => slots.Count == 1 && !opening
        ? $"-m {protocol} {not}--dport {slots[0]}"
        : $"-m multiport {not}--dports {string.Join(',', slots)}";
}

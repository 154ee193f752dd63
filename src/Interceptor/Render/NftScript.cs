using System.Globalization;
using System.Net.Sockets;
using System.Text;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>The plan as an nft script: one table of family inet, replaced whole in one transaction.</summary>
internal static class NftScript
{
    /// <summary>Family and name of the one table that is ours.</summary>
    public const string Table = "inet meshl4";

    /// <summary>Input for <c>nft -f -</c>. Adding the table first makes the delete succeed on a namespace that has none; all of it
    /// takes effect at once.</summary>
    public static string Replace(RedirectPlan plan) => $"add table {Table}\ndelete table {Table}\n{Body(plan)}";

    /// <summary>The table alone, in the words and order in which nft lists it back.</summary>
    public static string Body(RedirectPlan plan)
    {
        var text = new StringBuilder($"table {Table} {{\n");
        foreach (LearnedSet set in plan.Sets)
        {
            text.Append(Declaration(set));
        }

        foreach (RedirectChain chain in plan.Chains)
        {
            text.Append(CultureInfo.InvariantCulture, $"\tchain {chain.Name} {{\n");
            text.Append(CultureInfo.InvariantCulture, $"\t\ttype {Type(chain)} hook {chain.Hook} priority {Priority(chain.Table)}; policy accept;\n");
            foreach (RedirectRule rule in chain.Rules)
            {
                text.Append("\t\t").Append(Rule(rule, chain.Inbound)).Append('\n');
            }

            text.Append("\t}\n");
        }

        return text.Append("}\n").ToString();
    }

    /// <summary>One rule as nft writes it, without its counter's figures.</summary>
    public static string Rule(RedirectRule rule, bool inbound)
    {
        string conditions = Conditions(rule, inbound);
        return $"{conditions}{(conditions.Length > 0 ? " " : "")}counter {Verdict(rule, inbound)} comment \"{rule.Why}\"";
    }

    /// <summary>The conditions of a rule as nft writes them.</summary>
    public static string Conditions(RedirectRule rule, bool inbound) => string.Join(' ', rule.Matches
        .Where(m => !(m is TransportMatch { Ports: null } && rule.Matches.Any(o => o is OpeningMatch or UnderWayMatch)))
        .Select(m => Match(m, inbound)));

    /// <summary>A rule's verdict as nft writes it.</summary>
    public static string Verdict(RedirectRule rule, bool inbound)
    {
        RuleVerdict v = rule.Verdict;
        return v.Kind switch
        {
            VerdictKind.Redirect => string.Create(CultureInfo.InvariantCulture, $"redirect to :{v.Port}"),
            VerdictKind.Tproxy => string.Create(CultureInfo.InvariantCulture, $"tproxy {TproxyFamily(rule)}to :{v.Port} meta mark set {Hex(v.Number)} accept"),
            VerdictKind.Mark => $"meta mark set {Hex(v.Number)}",
            VerdictKind.MarkAndAccept => $"meta mark set {Hex(v.Number)} accept",
            VerdictKind.SaveMark => "ct mark set meta mark",
            VerdictKind.RestoreMark => "meta mark set ct mark",
            VerdictKind.Drop => "drop",
            VerdictKind.Remember => $"{(v.Set!.Seconds > 0 ? "update" : "add")} @{v.Set.Name} {{ {LocalPort(v.Set, inbound)} }}",
            VerdictKind.Forget => $"delete @{v.Set!.Name} {{ {LocalPort(v.Set, inbound)} }}",
            VerdictKind.Zone => string.Create(CultureInfo.InvariantCulture, $"ct zone set {v.Number}"),
            _ => "return",
        };
    }

    private static string Match(RuleMatch match, bool inbound) => match switch
    {
        FamilyMatch f => $"meta nfproto {(f.Family == AddressFamily.InterNetworkV6 ? "ipv6" : "ipv4")}",
        // By its number, the same in every namespace: most rules begin with it, and comparing names takes the kernel longer.
        InterfaceMatch { Name: "lo" } i => $"{(inbound ? "iif" : "oif")} {Not(i.Negated)}\"lo\"",
        InterfaceMatch i => $"{(inbound ? "iifname" : "oifname")} {Not(i.Negated)}\"{i.Name.Replace('+', '*')}\"",
        SourceMatch s => $"{Ip(s.Blocks)} saddr {Blocks(s.Blocks)}",
        DestinationMatch d => $"{Ip(d.Blocks)} daddr {Not(d.Negated)}{Blocks(d.Blocks)}",
        TransportMatch t => Transport(t),
        OwnerMatch o => $"meta {(o.IsGroup ? "skgid" : "skuid")} {Not(o.Negated)}{Set(o.Ids.Select(i => i.ToString()))}",
        MarkMatch m => $"meta mark {Not(m.Negated)}{Hex(m.Mark)}",
        ConnectionMarkMatch m => $"ct mark {Hex(m.Mark)}",
        StateMatch s => $"ct state {(s.State == ConnectionState.Invalid ? "invalid" : s.State == ConnectionState.New ? "new" : "established,related")}",
        FromOpenerMatch => "ct direction original",
        SourcePortMatch p => string.Create(CultureInfo.InvariantCulture, $"udp sport {p.Port}"),
        OpeningMatch o => $"tcp flags {Not(o.Negated)}syn / fin,syn,rst,ack",
        AcceptingMatch => "tcp flags syn,ack / fin,syn,rst,ack",
        LocalMatch l => $"fib daddr type {Not(l.Negated)}local",
        SocketMatch { Socket: PacketSocket.Transparent } => "socket transparent 1",
        SocketMatch { Socket: PacketSocket.Ordinary } => "socket transparent 0",
        SocketMatch { Socket: PacketSocket.Connected } => "socket wildcard 0",
        SocketMatch { Socket: PacketSocket.Unbound } => "socket wildcard 1",
        SocketMatch => "meta skuid 0-4294967294",
        LearnedMatch l => $"{LocalPort(l.Set, inbound)} {Not(l.Negated)}@{l.Set.Name}",
        UnderWayMatch => "tcp flags != syn / fin,syn,rst,ack socket wildcard 0",
        _ => throw new NotSupportedException($"nft cannot express {match.GetType().Name}"),
    };

    private static string Declaration(LearnedSet set)
    {
        string timeout = set.Seconds > 0 ? string.Create(CultureInfo.InvariantCulture, $"\t\ttimeout {set.Seconds / 60}m\n") : "";
        return $"\tset {set.Name} {{\n\t\ttype inet_service\n\t\tsize 65536\n\t\tflags dynamic{(set.Seconds > 0 ? ",timeout" : "")}\n{timeout}\t}}\n";
    }

    private static string LocalPort(LearnedSet set, bool inbound = false) =>
        $"{(set.Transport == Transports.Tcp ? "tcp" : "udp")} {(inbound ? "dport" : "sport")}";

    // A mark set in an output chain counts for routing only if the chain is of type route.
    private static string Type(RedirectChain chain) => chain.Table switch
    {
        NetfilterTable.Nat => "nat",
        NetfilterTable.Mangle when !chain.Inbound => "route",
        _ => "filter",
    };

    private static int Priority(NetfilterTable table) => table switch
    {
        NetfilterTable.Raw => -300,
        NetfilterTable.Mangle => -150,
        NetfilterTable.Ports => -149,
        _ => -100,
    };

    // In a table of both families nft wants to hear which one only where the rule has decided it already.
    private static string TproxyFamily(RedirectRule rule) => rule.Family switch
    {
        AddressFamily.InterNetwork => "ip ",
        AddressFamily.InterNetworkV6 => "ip6 ",
        _ => "",
    };

    private static string Hex(uint mark) => string.Create(CultureInfo.InvariantCulture, $"0x{mark:x8}");

    private static string Transport(TransportMatch t)
    {
        string protocols = t.Transports switch
        {
            Transports.Tcp => "tcp",
            Transports.Udp => "udp",
            _ => "{ tcp, udp }",
        };
        if (t.Ports is null)
        {
            return $"meta l4proto {protocols}";
        }

        string ports = Not(t.Negated) + Set(t.Ports.Ranges.Select(r => r.ToString()));
        return t.Transports is Transports.Tcp or Transports.Udp
            ? $"{protocols} dport {ports}"
            : $"meta l4proto {protocols} th dport {ports}";
    }

    private static string Ip(CidrSet blocks) => blocks.Family == AddressFamily.InterNetwork ? "ip" : "ip6";

    private static string Blocks(CidrSet blocks) => Set(AddressRange.Join(blocks).Select(r => r.ToString()));

    // nft lists a set of one differently from version to version; a plain value reads back the same everywhere.
    private static string Set(IEnumerable<string> elements)
    {
        string[] all = [.. elements];
        return all.Length == 1 ? all[0] : $"{{ {string.Join(", ", all)} }}";
    }

    private static string Not(bool negated) => negated ? "!= " : "";
}

using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>One rule: conditions, verdict, and why it is there (at most 100
/// characters, for nft keeps 128 bytes, and no quotes, for iptables-save escapes them).</summary>
internal sealed record RedirectRule(IReadOnlyList<RuleMatch> Matches, RuleVerdict Verdict, string Why)
{
    /// <summary>The only family the rule can hold for, or null for both.</summary>
    public AddressFamily? Family => Matches.Select(m => m switch
    {
        FamilyMatch f => f.Family,
        SourceMatch s => s.Blocks.Family,
        DestinationMatch d => d.Blocks.Family,
        _ => (AddressFamily?)null,
    }).FirstOrDefault(f => f is not null);
}

/// <summary>The kernel's tables, in the order in which a packet meets them at one hook.</summary>
internal enum NetfilterTable
{
    /// <summary>Before connection tracking.</summary>
    Raw,

    /// <summary>Marks and TPROXY.</summary>
    Mangle,

    /// <summary>Right behind it, a chain of nft's alone: remembers what was decided, for packets to come.</summary>
    Ports,

    /// <summary>Address translation; asked for the first packet of a connection only.</summary>
    Nat,
}

/// <summary>Rules at one hook of one table, in order; the first that holds and ends the chain decides, and a packet that meets none is
/// left alone.</summary>
/// <param name="Table">Which table.</param>
/// <param name="Inbound">True for prerouting, false for output.</param>
/// <param name="Rules">In order.</param>
internal sealed record RedirectChain(NetfilterTable Table, bool Inbound, IReadOnlyList<RedirectRule> Rules)
{
    /// <summary>The hook's name in nft.</summary>
    public string Hook => Inbound ? "prerouting" : "output";

    /// <summary>The chain's name in nft: the hook's name, with the table before it unless that is nat.</summary>
    public string Name => Table == NetfilterTable.Nat ? Hook : $"{Table.ToString().ToLowerInvariant()}_{Hook}";
}

/// <summary>The whole of what is to be in the kernel. Pure: no renderer or backend adds a rule of its own.</summary>
/// <param name="WithIpv6">False leaves every IPv6 packet alone.</param>
/// <param name="Chains">In the order in which packets meet them: prerouting, then output, each raw, mangle, nat.</param>
/// <param name="Routing">Policy routing that the rules rely on.</param>
internal sealed record RedirectPlan(bool WithIpv6, IReadOnlyList<RedirectChain> Chains, PolicyRouting Routing)
{
    /// <summary>Sets that rules fill and look into; only nft has them.</summary>
    public IReadOnlyList<LearnedSet> Sets { get; init; } = [];

    /// <summary>Does any rule redirect? A plan that redirects nothing is most often a forgotten flag.</summary>
    public bool RedirectsAnything => Chains.Any(c => c.Rules.Any(r => r.Verdict.Port is not null));

    /// <summary>What becomes of <paramref name="packet"/>, and by which rules.</summary>
    public Decision Decide(Packet packet) => PacketWalk.Walk(this, packet);
}

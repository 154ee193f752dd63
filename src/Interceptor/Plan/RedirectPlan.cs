using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>What a rule does with the packets that meet it.</summary>
/// <param name="Port">Local TCP port to redirect to; null leaves the packet alone and ends the chain.</param>
internal readonly record struct RuleVerdict(int? Port)
{
    /// <summary>Leave the packet alone.</summary>
    public static RuleVerdict Return => new(null);

    /// <summary>Redirect to a local port.</summary>
    public static RuleVerdict Redirect(int port) => new(port);
}

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

/// <summary>Rules at one hook of the kernel's nat table, in order; the first that holds decides, and a packet that meets none is
/// left alone.</summary>
/// <param name="Inbound">True for prerouting, false for output.</param>
/// <param name="Rules">In order.</param>
internal sealed record RedirectChain(bool Inbound, IReadOnlyList<RedirectRule> Rules)
{
    /// <summary>The hook's name in nft.</summary>
    public string Name => Inbound ? "prerouting" : "output";
}

/// <summary>The whole of what is to be in the kernel. Pure: no renderer or backend adds a rule of its own.</summary>
/// <param name="WithIpv6">False leaves every IPv6 packet alone.</param>
/// <param name="Chains">Prerouting, then output.</param>
internal sealed record RedirectPlan(bool WithIpv6, IReadOnlyList<RedirectChain> Chains)
{
    /// <summary>Does any rule redirect? A plan that redirects nothing is most often a forgotten flag.</summary>
    public bool RedirectsAnything => Chains.Any(c => c.Rules.Any(r => r.Verdict.Port is not null));

    /// <summary>The first rule of <paramref name="packet"/>'s chain that holds for it, or null when none does.</summary>
    public RedirectRule? Decide(Packet packet) => Chains.First(c => c.Inbound == packet.Inbound)
        .Rules.FirstOrDefault(r => r.Matches.All(m => m.Holds(packet)));
}

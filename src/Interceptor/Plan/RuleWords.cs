using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>What the rules of all modes are made of.</summary>
internal static class RuleWords
{
    /// <summary>The loopback interface.</summary>
    public static InterfaceMatch Lo { get; } = new("lo");

    /// <summary>Where rules may drop: the kernel does so by itself, unless somebody set route_localnet for a purpose of his own.</summary>
    public static RedirectRule Martian { get; } = new(FromOutsideToLoopback, RuleVerdict.Drop, "nothing from outside reaches loopback, even where route_localnet lets it in");

    /// <summary>Where rules translate: under another address the packet would pass the kernel's check, and the proxy call for it what listens on loopback.</summary>
    public static RedirectRule MartianLeftToTheKernel { get; } = Return("to loopback from outside: left alone, for the kernel drops it", FromOutsideToLoopback);

    /// <summary>First in every chain: packets that are none of our business.</summary>
    public static IEnumerable<RedirectRule> LeftAlone(RedirectOptions o) => [.. OtherFamily(o), .. ExcludedInterfaces(o)];

    /// <summary>IPv6 when it is off: the chains see both families.</summary>
    public static IEnumerable<RedirectRule> OtherFamily(RedirectOptions o) =>
        o.WithIpv6 ? [] : [Return(Ipv6Choice.Reason(o), new FamilyMatch(AddressFamily.InterNetworkV6))];

    /// <summary>Interfaces that are to be left alone.</summary>
    public static IEnumerable<RedirectRule> ExcludedInterfaces(RedirectOptions o) =>
        o.ExcludedInterfaces.Select(name => Return("interface excluded by request", new InterfaceMatch(name)));

    /// <summary>The passthrough's source addresses.</summary>
    public static IEnumerable<CidrSet> Passthrough(RedirectOptions o) => Families(o, "127.0.0.6/32", PolicyRouting.PassthroughAddress);

    /// <summary>The blocks that count as loopback.</summary>
    public static IEnumerable<CidrSet> LoopbackBlocks(RedirectOptions o) => Families(o, o.LoopbackBlock.ToString(), "::1/128");

    /// <summary>Blocks by family, families that are off or have none dropped.</summary>
    public static IEnumerable<CidrSet> Split(RedirectOptions o, IEnumerable<IPNetwork> blocks) =>
        new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 }
            .Where(f => o.WithIpv6 || f == AddressFamily.InterNetwork)
            .Select(f => CidrSet.Of(f, blocks)).Where(s => !s.IsEmpty);

    /// <summary>A destination. A block of prefix 0 is the whole family; the kernel's listings say nothing of an address then.</summary>
    public static RuleMatch To(CidrSet blocks) =>
        blocks.Blocks[0].PrefixLength == 0 ? new FamilyMatch(blocks.Family) : new DestinationMatch(blocks);

    /// <summary>A source.</summary>
    public static RuleMatch From(CidrSet blocks) =>
        blocks.Blocks[0].PrefixLength == 0 ? new FamilyMatch(blocks.Family) : new SourceMatch(blocks);

    /// <summary>TCP to these ports, or to any.</summary>
    public static TransportMatch Tcp(PortSet? ports = null) => new(Transports.Tcp, ports);

    /// <summary>UDP to these ports, or to any.</summary>
    public static TransportMatch Udp(PortSet? ports = null) => new(Transports.Udp, ports);

    /// <summary>A rule that leaves packets alone.</summary>
    public static RedirectRule Return(string why, params RuleMatch[] matches) => new(matches, RuleVerdict.Return, why);

    private static RuleMatch[] FromOutsideToLoopback => [new InterfaceMatch("lo", true), new DestinationMatch(CidrSet.Single("127.0.0.0/8"))];

    private static IEnumerable<CidrSet> Families(RedirectOptions o, string v4, string v6) =>
        o.WithIpv6 ? [CidrSet.Single(v4), CidrSet.Single(v6)] : [CidrSet.Single(v4)];
}

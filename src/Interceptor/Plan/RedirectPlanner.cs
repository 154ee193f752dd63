using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Options to rules: decides each connection as istio-iptables' REDIRECT mode does, with every proxy uid treated alike and
/// IPv6 left alone when it is off.</summary>
internal static class RedirectPlanner
{
    private const string Loopback = "lo";

    /// <summary>The plan for <paramref name="options"/>.</summary>
    public static RedirectPlan Plan(RedirectOptions options) =>
        new(options.WithIpv6, [new(true, [.. Inbound(options)]), new(false, [.. Outbound(options)])]);

    private static IEnumerable<RedirectRule> Inbound(RedirectOptions o)
    {
        if (!o.InboundPorts.All && o.InboundPorts.Ports.IsEmpty)
        {
            yield break;
        }

        foreach (RedirectRule rule in LeftAlone(o))
        {
            yield return rule;
        }

        yield return Return("tunnelled traffic reaches the tunnel port of the proxy by itself", Tcp(PortSet.Single(o.TunnelPort)));
        RuleVerdict capture = RuleVerdict.Redirect(o.InboundPort);
        if (!o.InboundPorts.All)
        {
            yield return new([Tcp(o.InboundPorts.Ports)], capture, "inbound ports asked for go to the proxy");
            yield break;
        }

        if (!o.InboundExcludedPorts.IsEmpty)
        {
            yield return Return("inbound ports excluded by request", Tcp(o.InboundExcludedPorts));
        }

        yield return new([Tcp()], capture, "all other inbound TCP goes to the proxy");
    }

    private static IEnumerable<RedirectRule> Outbound(RedirectOptions o) =>
        [.. LeftAlone(o), .. ExcludedPorts(o), .. ProxyRules(o), .. DestinationRules(o)];

    private static IEnumerable<RedirectRule> LeftAlone(RedirectOptions o)
    {
        if (!o.WithIpv6)
        {
            yield return Return("IPv6 is switched off in the options", new FamilyMatch(AddressFamily.InterNetworkV6));
        }

        foreach (string name in o.ExcludedInterfaces)
        {
            yield return Return("interface excluded by request", new InterfaceMatch(name));
        }
    }

    // Before the proxy's own rules, so that a call to oneself on an excluded port is left alone too.
    private static IEnumerable<RedirectRule> ExcludedPorts(RedirectOptions o) => o.OutboundExcludedPorts.IsEmpty
        ? []
        : [Return("outbound ports excluded by request", new TransportMatch(Transports.Tcp | Transports.Udp, o.OutboundExcludedPorts))];

    private static IEnumerable<RedirectRule> ProxyRules(RedirectOptions o)
    {
        var uid = new OwnerMatch(false, o.ProxyUids);
        var gid = new OwnerMatch(true, o.ProxyGids);
        var lo = new InterfaceMatch(Loopback);
        foreach (CidrSet passthrough in Families(o, "127.0.0.6/32", "::6/128"))
        {
            yield return Return("the proxy hands inbound connections to the application from this address",
                lo, new SourceMatch(passthrough));
        }

        bool loopbackWanted = o.OutboundBlocks.Blocks.Any(b => IPAddress.IsLoopback(b.BaseAddress));
        foreach (OwnerMatch owner in loopbackWanted ? [uid, gid] : new[] { uid })
        {
            foreach (CidrSet here in Families(o, o.LoopbackBlock.ToString(), "::1/128"))
            {
                yield return new([lo, new DestinationMatch(here, true), new TransportMatch(Transports.Tcp, PortSet.Single(o.TunnelPort), true), owner],
                    RuleVerdict.Redirect(o.InboundPort), "the application called its own service: inbound policy applies to it");
            }
        }

        // Without this rule an include list with a loopback block would never see the application's loopback traffic.
        if (!loopbackWanted)
        {
            yield return Return("applications of the pod talk to each other without the proxy", lo, uid with { Negated = true });
        }

        yield return Return("connections of the proxy itself must not come back to it", uid);
        yield return Return("processes in the group of the proxy are part of it", gid);
    }

    private static IEnumerable<RedirectRule> DestinationRules(RedirectOptions o)
    {
        RuleVerdict capture = RuleVerdict.Redirect(o.OutboundPort);
        foreach (CidrSet here in Families(o, o.LoopbackBlock.ToString(), "::1/128"))
        {
            yield return Return("loopback stays between the processes of the pod", new DestinationMatch(here));
        }

        foreach (CidrSet excluded in Split(o, o.OutboundExcludedBlocks))
        {
            yield return Return("destinations excluded by request", To(excluded));
        }

        if (!o.OutboundPorts.IsEmpty)
        {
            yield return new([Tcp(o.OutboundPorts)], capture, "outbound ports asked for go to the proxy");
        }

        if (o.OutboundBlocks.All)
        {
            yield return new([Tcp()], capture, "all other outbound TCP goes to the proxy");
        }

        foreach (CidrSet included in Split(o, o.OutboundBlocks.Blocks))
        {
            yield return new([To(included), Tcp()], capture, "destinations asked for go to the proxy");
        }
    }

    // A block of prefix 0 is the whole family; the kernel's listings say nothing of an address then.
    private static RuleMatch To(CidrSet blocks) =>
        blocks.Blocks[0].PrefixLength == 0 ? new FamilyMatch(blocks.Family) : new DestinationMatch(blocks);

    private static IEnumerable<CidrSet> Families(RedirectOptions o, string v4, string v6) =>
        o.WithIpv6 ? [CidrSet.Single(v4), CidrSet.Single(v6)] : [CidrSet.Single(v4)];

    private static IEnumerable<CidrSet> Split(RedirectOptions o, IReadOnlyList<IPNetwork> blocks) =>
        new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 }
            .Where(f => o.WithIpv6 || f == AddressFamily.InterNetwork)
            .Select(f => CidrSet.Of(f, blocks)).Where(s => !s.IsEmpty);

    private static TransportMatch Tcp(PortSet? ports = null) => new(Transports.Tcp, ports);

    private static RedirectRule Return(string why, params RuleMatch[] matches) => new(matches, RuleVerdict.Return, why);
}

using System.Net;
using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>How a kind of outbound packet is taken: by redirecting it, or by a mark that policy routing leads home.</summary>
/// <param name="Outbound">To the outbound port.</param>
/// <param name="SelfCall">To the inbound port.</param>
/// <param name="Dns">To the DNS port.</param>
internal sealed record OutboundCapture(RuleVerdict Outbound, RuleVerdict SelfCall, RuleVerdict Dns);

/// <summary>Which packets of the pod's processes are taken: the same list for every mode, with Istio's order.</summary>
internal static class OutboundRules
{
    private static readonly PortSet DnsPort = PortSet.Single(53);

    /// <summary>The output chain's rules.</summary>
    public static IEnumerable<RedirectRule> Of(RedirectOptions o, OutboundCapture capture) => o.RedirectOutbound
        ? [.. LeftAlone(o), .. ExcludedPorts(o), .. Proxy(o, capture), .. Processes(o), .. Dns(o, capture), .. Destinations(o, capture)]
        : [];

    // Before the proxy's own rules, so that a call to oneself on an excluded port is left alone too.
    private static IEnumerable<RedirectRule> ExcludedPorts(RedirectOptions o) => o.OutboundExcludedPorts.IsEmpty
        ? []
        : [Return("outbound ports excluded by request", new TransportMatch(Transports.Tcp | Transports.Udp, o.OutboundExcludedPorts))];

    private static IEnumerable<RedirectRule> Proxy(RedirectOptions o, OutboundCapture capture)
    {
        foreach (RedirectRule rule in o.Mode == InterceptionMode.Transparent ? TransparentRules.Answers(o) : [])
        {
            yield return rule;
        }

        foreach (CidrSet passthrough in Passthrough(o))
        {
            yield return Return("the proxy hands inbound connections to the application from this address", Lo, new SourceMatch(passthrough));
        }

        bool loopbackWanted = o.OutboundBlocks.Blocks.Any(b => IPAddress.IsLoopback(b.BaseAddress));
        OwnerMatch uid = OwnerMatch.Of(false, o.ProxyUids);
        OwnerMatch gid = OwnerMatch.Of(true, o.ProxyGids);
        foreach (RedirectRule rule in SelfCalls(o, capture, uid, o.CapturesDns ? new PortSet([new(53, 53), new(o.TunnelPort, o.TunnelPort)]) : null))
        {
            yield return rule;
        }

        // Without this rule an include list with a loopback block would never see the application's loopback traffic.
        if (!loopbackWanted)
        {
            RuleMatch[] dns = o.CapturesDns ? [new TransportMatch(Transports.Tcp, DnsPort, true)] : [];
            yield return Return("applications of the pod talk to each other without the proxy", [Lo, .. dns, uid with { Negated = true }]);
        }

        yield return Return("connections of the proxy itself must not come back to it", uid);

        // Otherwise no process but the proxy's users gets here by lo.
        foreach (RedirectRule rule in loopbackWanted || o.CapturesDns ? SelfCalls(o, capture, gid, null) : [])
        {
            yield return rule;
        }

        yield return Return("processes in the group of the proxy are part of it", gid);
    }

    private static IEnumerable<RedirectRule> SelfCalls(RedirectOptions o, OutboundCapture capture, OwnerMatch owner, PortSet? apart)
    {
        // Later packets of a connection that is not translated find their socket by themselves, and must not be marked.
        RuleMatch[] first = o.Mode == InterceptionMode.Transparent ? [new OpeningMatch()] : [];
        return LoopbackBlocks(o).Select(here => new RedirectRule(
            [Lo, new DestinationMatch(here, true), new TransportMatch(Transports.Tcp, apart ?? PortSet.Single(o.TunnelPort), true), .. first, owner],
            capture.SelfCall, "the application called its own service: inbound policy applies to it"));
    }

    private static IEnumerable<RedirectRule> Processes(RedirectOptions o)
    {
        if (o.ExcludedOwnerGroups.Count > 0)
        {
            yield return Return("processes of these groups are excluded by request", OwnerMatch.Of(true, o.ExcludedOwnerGroups));
        }
        else if (o.OwnerGroups is not null)
        {
            yield return Return("only processes of these groups are captured", OwnerMatch.Of(true, o.OwnerGroups, negated: true));
        }

        foreach (UserPortExclusion e in o.UserExclusions)
        {
            yield return Return("ports excluded for these users by request", new TransportMatch(e.Transports, e.Ports), new OwnerMatch(false, e.Users));
        }
    }

    // After the proxy's own rules: the proxy's questions to the real server must leave.
    private static IEnumerable<RedirectRule> Dns(RedirectOptions o, OutboundCapture capture)
    {
        foreach (TransportMatch transport in o.CapturesDns ? new[] { Tcp(DnsPort), Udp(DnsPort) } : [])
        {
            foreach (RuleMatch[] server in o.Dns == DnsCapture.All ? [[]] : Servers(o).Select(s => new RuleMatch[] { To(s) }))
            {
                yield return new([.. server, transport], capture.Dns, "name resolution goes to the DNS listener of the proxy");
            }
        }
    }

    /// <summary>The captured servers by family; none when all are captured.</summary>
    public static IEnumerable<CidrSet> Servers(RedirectOptions o) =>
        o.Dns == DnsCapture.All ? [] : Split(o, o.DnsServers.Select(s => new IPNetwork(s, s.GetAddressBytes().Length * 8)));

    private static IEnumerable<RedirectRule> Destinations(RedirectOptions o, OutboundCapture capture)
    {
        foreach (CidrSet here in LoopbackBlocks(o))
        {
            yield return Return("loopback stays between the processes of the pod", new DestinationMatch(here));
        }

        foreach (CidrSet excluded in Split(o, o.OutboundExcludedBlocks))
        {
            yield return Return("destinations excluded by request", To(excluded));
        }

        if (!o.OutboundPorts.IsEmpty)
        {
            yield return new([Tcp(o.OutboundPorts)], capture.Outbound, "outbound ports asked for go to the proxy");
        }

        if (o.OutboundBlocks.All)
        {
            yield return new([Tcp()], capture.Outbound, "all other outbound TCP goes to the proxy");
        }

        foreach (CidrSet included in Split(o, o.OutboundBlocks.Blocks))
        {
            yield return new([To(included), Tcp()], capture.Outbound, "destinations asked for go to the proxy");
        }

        if (o.UdpPorts.All || !o.UdpPorts.Ports.IsEmpty)
        {
            yield return new([Udp(o.UdpPorts.All ? null : o.UdpPorts.Ports)], capture.Outbound, "outbound UDP asked for goes to the proxy");
        }
    }
}

using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>TPROXY in both directions. Outbound packets are marked, policy routing brings them back by lo, and there they are given to the
/// proxy's listener as they are; no address is translated and no connection tracked.</summary>
internal static class TransparentRules
{
    /// <summary>The mangle table's output: of type route, so that a mark changes the way.</summary>
    public static IEnumerable<RedirectRule> Output(RedirectOptions o) => OutboundRules.Of(o, new(
        RuleVerdict.MarkAndAccept(PacketMarks.Outbound), RuleVerdict.MarkAndAccept(PacketMarks.SelfCall), RuleVerdict.MarkAndAccept(PacketMarks.Dns)));

    /// <summary>The mangle table's prerouting.</summary>
    public static IEnumerable<RedirectRule> Prerouting(RedirectOptions o) => [.. OtherFamily(o), .. ComingHome(o), .. Inbound(o)];

    private static IEnumerable<RedirectRule> ComingHome(RedirectOptions o)
    {
        if (o.RedirectOutbound)
        {
            yield return Return("packets of connections under way find their socket by themselves", Lo, new UnderWayMatch());
            bool udp = o.UdpPorts.All || !o.UdpPorts.Ports.IsEmpty;
            foreach (RedirectRule rule in (RedirectRule[])
            [
                .. Home(o.OutboundPort, PacketMarks.Outbound, udp, "outbound packets that came back by their mark go to the proxy"),
                .. Home(o.InboundPort, PacketMarks.SelfCall, false, "the application called its own service: inbound policy applies to it"),
                .. o.CapturesDns ? Home(o.DnsPort, PacketMarks.Dns, true, "name resolution goes to the DNS listener of the proxy") : [],
            ])
            {
                yield return rule;
            }
        }

        yield return Return("all other traffic on loopback stays between the processes of the pod", Lo);
    }

    private static IEnumerable<RedirectRule> Home(int port, uint mark, bool udp, string why)
    {
        var marked = new MarkMatch(mark);
        yield return new([Lo, marked, Tcp()], RuleVerdict.Tproxy(port, mark), why);
        yield return new([Lo, marked, new OpeningMatch()], RuleVerdict.Drop, Unserved);
        if (udp)
        {
            yield return new([Lo, marked, Udp()], RuleVerdict.Tproxy(port, mark), why);
            yield return new([Lo, marked, Udp()], RuleVerdict.Drop, Unserved);
        }
    }

    private static IEnumerable<RedirectRule> Inbound(RedirectOptions o)
    {
        foreach (RedirectRule rule in InboundRules.Virtual(o, m => Taken(m, RuleVerdict.Tproxy(o.OutboundPort, PacketMarks.Outbound),
            "what is behind this interface goes out through the proxy")))
        {
            yield return rule;
        }

        foreach (RedirectRule rule in InboundRules.Captures(o) ? Captured(o) : [])
        {
            yield return rule;
        }
    }

    private static IEnumerable<RedirectRule> Captured(RedirectOptions o)
    {
        RuleVerdict take = RuleVerdict.Tproxy(o.InboundPort, o.Mark);
        TransportMatch wanted = InboundRules.Wanted(o);
        PortSet udp = InboundUdp(o);
        return
        [
            .. ExcludedInterfaces(o), .. InboundRules.Excluded(o), .. Taken([wanted], take, InboundRules.Why(o)),
            .. udp.IsEmpty ? [] : new RedirectRule[] { new([Udp(udp)], take, "inbound UDP asked for goes to the proxy") },
        ];
    }

    // The listener is asked last: answers to connections of this pod come in here too, and without a listener a new connection must not
    // reach the application past the proxy.
    private static IEnumerable<RedirectRule> Taken(RuleMatch[] matches, RuleVerdict take, string why) =>
    [
        Return("packets of connections under way find their socket by themselves", [.. matches, new UnderWayMatch()]),
        new(matches, take, why),
        new([.. matches, new OpeningMatch()], RuleVerdict.Drop, Unserved),
    ];

    // Only ports that were named: with "*" the answers to questions that were not captured would be taken for requests.
    private static PortSet InboundUdp(RedirectOptions o) => (o.UdpPorts.All, o.InboundPorts.All) switch
    {
        (true, true) => new([]),
        (true, false) => o.InboundPorts.Ports,
        (false, true) => o.UdpPorts.Ports.Without(o.InboundExcludedPorts),
        _ => o.UdpPorts.Ports.And(o.InboundPorts.Ports),
    };

    private const string Unserved = "nobody listens at the port of the proxy: wait for it rather than pass it by";
}

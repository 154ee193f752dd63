using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>TPROXY in both directions. Outbound packets are marked, policy routing brings them back by lo, and there they are given to the
/// proxy's listener as they are; no address is translated and no connection tracked.</summary>
/// <remarks>
/// Rules here see every packet, not only the first of a connection, and must tell what a client sends (captured) from what a local
/// server answers (left alone) and from what outlives its process (its connection's fate). Without connection tracking, the socket
/// and the sets of <see cref="LearningRules"/> tell.
/// </remarks>
internal static class TransparentRules
{
    /// <summary>The mangle table's output: of type route, so that a mark changes the way.</summary>
    public static IEnumerable<RedirectRule> Output(RedirectOptions o) => OutboundRules.Of(o, new(
        RuleVerdict.MarkAndAccept(PacketMarks.Outbound), RuleVerdict.MarkAndAccept(PacketMarks.SelfCall), RuleVerdict.MarkAndAccept(PacketMarks.Dns)))
        .SelectMany(r => r.Verdict.Number is PacketMarks.Outbound or PacketMarks.Dns ? ByOwner(r) : [r]);

    /// <summary>What the proxy and local servers answer, first among the proxy's own rules.</summary>
    public static IEnumerable<RedirectRule> Answers(RedirectOptions o)
    {
        yield return Return("the proxy marked this socket as its own", new MarkMatch(PacketMarks.Proxy));
        yield return Return("the proxy answers a connection that it took over", new SocketMatch(PacketSocket.Transparent));
        // A port that served once may open a connection later, whose first segment is no answer.
        yield return Return("a local server answers a connection that was not captured", new LearnedMatch(LearnedSet.Served), new OpeningMatch(true));
        if (o.UdpPorts.All)
        {
            yield return Return("a local server answers a datagram that was not captured", new LearnedMatch(LearnedSet.ServedUdp));
        }
    }

    // A packet whose process is gone has no owner: the port says whether its connection was captured. Of UDP nothing is left by then.
    private static IEnumerable<RedirectRule> ByOwner(RedirectRule rule)
    {
        var owned = new SocketMatch(PacketSocket.Owned);
        if (rule.Matches.OfType<TransportMatch>().Single().Transports == Transports.Udp)
        {
            return [rule with { Matches = [.. rule.Matches, owned] }];
        }

        var connected = new SocketMatch(PacketSocket.Connected);
        return
        [
            rule with { Matches = [.. rule.Matches, connected, owned] },
            // The set names the protocol already, and nft would list it once only.
            rule with
            {
                Matches = [.. rule.Matches.Where(m => m is not TransportMatch { Ports: null }), connected, new LearnedMatch(LearnedSet.Direct, true)],
                Why = "what is left of a captured connection when its process is gone",
            },
        ];
    }

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
        bool virtualMachines = o.RedirectOutbound && o.VirtualInterfaces.Count > 0;
        foreach (RedirectRule rule in InboundRules.Captures(o) || virtualMachines ? [Martian, .. UnderWay(o)] : Array.Empty<RedirectRule>())
        {
            yield return rule;
        }

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

    // What the proxy took over must find its socket though its destination is not here, and what passes through the pod must pass:
    // answers to connections of a virtual machine come in by the same interfaces as requests.
    private static IEnumerable<RedirectRule> UnderWay(RedirectOptions o)
    {
        var more = new OpeningMatch(true);
        var transparent = new SocketMatch(PacketSocket.Transparent);
        var foreign = new LocalMatch(true);
        yield return new([more, transparent, new SocketMatch(PacketSocket.Connected)], RuleVerdict.MarkAndAccept(o.Mark), "more of a connection that the proxy took over");
        yield return Return("more of a connection that passes through the pod to a port that is served here too", more, new SocketMatch(PacketSocket.Unbound), foreign);
        yield return new([more, transparent], RuleVerdict.MarkAndAccept(o.Mark), "the last step of a connection to the proxy");
        yield return Return("more of a connection that passes through the pod", more, foreign);
    }

    private static IEnumerable<RedirectRule> Captured(RedirectOptions o)
    {
        RuleVerdict take = RuleVerdict.Tproxy(o.InboundPort, o.Mark);
        TransportMatch wanted = InboundRules.Wanted(o);
        return [.. ExcludedInterfaces(o), .. InboundRules.Excluded(o), .. Taken([wanted], take, InboundRules.Why(o)), .. CapturedUdp(o, take)];
    }

    private static IEnumerable<RedirectRule> CapturedUdp(RedirectOptions o, RuleVerdict take)
    {
        bool all = o.UdpPorts.All && o.InboundPorts.All;
        PortSet ports = InboundUdp(o);
        if (all && !o.InboundExcludedPorts.IsEmpty)
        {
            yield return Return("inbound ports excluded by request", Udp(o.InboundExcludedPorts));
        }

        if (all)
        {
            yield return Return("an answer to a datagram that was not captured", new LearnedMatch(LearnedSet.DirectUdp));
        }

        if (all || !ports.IsEmpty)
        {
            yield return new([Udp(all ? null : ports), new LocalMatch()], take, "inbound UDP asked for goes to the proxy");
        }
    }

    // The listener is asked last: answers to connections of this pod come in here too, and without a listener a new connection must not
    // reach the application past the proxy.
    private static IEnumerable<RedirectRule> Taken(RuleMatch[] matches, RuleVerdict take, string why) =>
    [
        Return("packets of connections under way find their socket by themselves", [.. matches, new UnderWayMatch()]),
        new(matches, take, why),
        new([.. matches, new OpeningMatch()], RuleVerdict.Drop, Unserved),
    ];

    // The ports that were named on either side; none are when both say all.
    private static PortSet InboundUdp(RedirectOptions o) => (o.UdpPorts.All, o.InboundPorts.All) switch
    {
        (true, true) => new([]),
        (true, false) => o.InboundPorts.Ports,
        (false, true) => o.UdpPorts.Ports.Without(o.InboundExcludedPorts),
        _ => o.UdpPorts.Ports.And(o.InboundPorts.Ports),
    };

    private const string Unserved = "nobody listens at the port of the proxy: wait for it rather than pass it by";
}

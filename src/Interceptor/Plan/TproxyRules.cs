using System.Net.Sockets;
using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>Istio's TPROXY mode: inbound connections keep their addresses, outbound ones are redirected.</summary>
internal static class TproxyRules
{
    /// <summary>The mangle table's prerouting.</summary>
    public static IEnumerable<RedirectRule> Prerouting(RedirectOptions o)
    {
        yield return Martian;
        foreach (string name in o.VirtualInterfaces)
        {
            yield return Return("outbound traffic of what is behind this interface is redirected later", new InterfaceMatch(name));
        }

        var marked = new MarkMatch(o.Mark);
        yield return new([Tcp(), marked], RuleVerdict.SaveMark, "answers to a connection that the proxy made under the address of its client must come back");
        yield return Return("the proxy connected to the application under the address of its client", Tcp(), marked);
        foreach (CidrSet passthrough in Passthrough(o))
        {
            yield return Return("the proxy hands inbound connections to the application from this address", Lo, new SourceMatch(passthrough));
        }

        yield return Return("applications of the pod talk to each other without the proxy", Lo, new MarkMatch(PacketMarks.SelfCall, true));
        foreach (RedirectRule rule in InboundRules.Excluded(o))
        {
            yield return rule;
        }

        TransportMatch wanted = InboundRules.Wanted(o);

        // Answers come in here too, to connections of this pod and of what it forwards for.
        var opener = new FromOpenerMatch();
        yield return new([wanted, new StateMatch(ConnectionState.Established), opener], RuleVerdict.MarkAndAccept(o.Mark), "connections under way stay in the pod");
        foreach (CidrSet here in new[] { "127.0.0.1/32", "::1/128" }.Select(CidrSet.Single).Where(c => o.WithIpv6 || c.Family == AddressFamily.InterNetwork))
        {
            yield return new([new DestinationMatch(here, true), wanted, opener], RuleVerdict.Tproxy(o.InboundPort, o.Mark), InboundRules.Why(o));
        }
    }

    /// <summary>The mangle table's output.</summary>
    public static IEnumerable<RedirectRule> Output(RedirectOptions o)
    {
        if (!InboundRules.Captures(o))
        {
            yield break;
        }

        foreach (RedirectRule rule in ExcludedInterfaces(o))
        {
            yield return rule;
        }

        yield return Return("the proxy connected to the application under the address of its client", Lo, Tcp(), new MarkMatch(o.Mark));
        foreach (CidrSet here in LoopbackBlocks(o))
        {
            foreach (OwnerMatch owner in new[] { OwnerMatch.Of(false, o.ProxyUids), OwnerMatch.Of(true, o.ProxyGids) })
            {
                yield return new([Lo, new DestinationMatch(here, true), Tcp(), owner], RuleVerdict.Mark(PacketMarks.SelfCall),
                    "the application called its own service: inbound policy applies to it");
            }
        }

        yield return new([Tcp(), new ConnectionMarkMatch(o.Mark)], RuleVerdict.RestoreMark, "answers go back to the proxy, not to the real address of the client");
    }
}

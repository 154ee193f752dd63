using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>Which packets from outside the pod are taken.</summary>
internal static class InboundRules
{
    /// <summary>Are any?</summary>
    public static bool Captures(RedirectOptions o) => o.RedirectInbound && (o.InboundPorts.All || !o.InboundPorts.Ports.IsEmpty);

    /// <summary>What comes in by a virtual interface is outbound traffic of what is behind it.</summary>
    /// <param name="o">The options.</param>
    /// <param name="take">The rules that take outbound TCP that meets these conditions.</param>
    public static IEnumerable<RedirectRule> Virtual(RedirectOptions o, Func<RuleMatch[], IEnumerable<RedirectRule>> take)
    {
        if (!o.RedirectOutbound)
        {
            yield break;
        }

        foreach (string name in o.VirtualInterfaces)
        {
            var nic = new InterfaceMatch(name);
            IEnumerable<RuleMatch[]> wanted = o.OutboundBlocks.All ? [[nic, Tcp()]] : Split(o, o.OutboundBlocks.Blocks).Select(b => new RuleMatch[] { To(b), nic, Tcp() });
            foreach (RedirectRule rule in wanted.SelectMany(take))
            {
                yield return rule;
            }

            yield return Return("other traffic of what is behind this interface is left alone", nic);
        }
    }

    /// <summary>Inbound TCP that is left alone although its port may be captured.</summary>
    public static IEnumerable<RedirectRule> Excluded(RedirectOptions o)
    {
        yield return Return("tunnelled traffic reaches the tunnel port of the proxy by itself", Tcp(PortSet.Single(o.TunnelPort)));
        foreach (CidrSet sources in Split(o, o.InboundExcludedSources))
        {
            yield return Return("sources excluded by request", From(sources));
        }

        if (o.InboundPorts.All && !o.InboundExcludedPorts.IsEmpty)
        {
            yield return Return("inbound ports excluded by request", Tcp(o.InboundExcludedPorts));
        }
    }

    /// <summary>TCP to the captured ports.</summary>
    public static TransportMatch Wanted(RedirectOptions o) => Tcp(o.InboundPorts.All ? null : o.InboundPorts.Ports);

    /// <summary>Why <see cref="Wanted"/> is captured.</summary>
    public static string Why(RedirectOptions o) =>
        o.InboundPorts.All ? "all other inbound TCP goes to the proxy" : "inbound ports asked for go to the proxy";
}

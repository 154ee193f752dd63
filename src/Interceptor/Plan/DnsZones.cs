using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>Conntrack zones for captured name resolution. The translation of a UDP flow is remembered by its ports: an application that
/// reuses a port of the proxy's would be translated as the proxy was, that is, not at all. Apart they cannot be confused.</summary>
internal static class DnsZones
{
    private const uint ProxyZone = 1;
    private const uint ApplicationZone = 2;
    private static readonly PortSet DnsPort = PortSet.Single(53);

    /// <summary>The raw table's output.</summary>
    public static IEnumerable<RedirectRule> Output(RedirectOptions o)
    {
        if (!Needed(o))
        {
            yield break;
        }

        foreach (OwnerMatch owner in new[] { OwnerMatch.Of(false, o.ProxyUids), OwnerMatch.Of(true, o.ProxyGids) })
        {
            yield return new([Udp(DnsPort), owner], RuleVerdict.Zone(ProxyZone), "questions of the proxy are tracked apart");
            yield return new([new SourcePortMatch(o.DnsPort), owner], RuleVerdict.Zone(ApplicationZone), "answers of the proxy belong to the applications");
        }

        foreach (RuleMatch[] server in Each(o, To))
        {
            yield return new([.. server, Udp(DnsPort)], RuleVerdict.Zone(ApplicationZone), "questions of applications are tracked apart");
        }
    }

    /// <summary>The raw table's prerouting.</summary>
    public static IEnumerable<RedirectRule> Prerouting(RedirectOptions o) => Needed(o)
        ? Each(o, From).Select(server =>
            new RedirectRule([.. server, new SourcePortMatch(53)], RuleVerdict.Zone(ProxyZone), "answers to questions of the proxy belong to it"))
        : [];

    // Nothing is zoned that is not captured: without a condition only where every server is captured.
    private static IEnumerable<RuleMatch[]> Each(RedirectOptions o, Func<CidrSet, RuleMatch> match) =>
        o.Dns == DnsCapture.All ? [[]] : OutboundRules.Servers(o).Select(s => new[] { match(s) });

    private static bool Needed(RedirectOptions o) => o.CapturesDns && o.RedirectOutbound;
}

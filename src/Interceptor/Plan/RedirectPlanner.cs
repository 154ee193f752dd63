using System.Net.Sockets;
using static MeshL4.Interceptor.Plan.RuleWords;

namespace MeshL4.Interceptor.Plan;

/// <summary>Options to rules: decides each connection as istio-iptables does, with every proxy uid treated alike, IPv6 left alone when it
/// is off, and the tunnel port left alone in every mode.</summary>
internal static class RedirectPlanner
{
    /// <summary>The plan for <paramref name="options"/>.</summary>
    public static RedirectPlan Plan(RedirectOptions options)
    {
        IEnumerable<RedirectChain> chains = options.Mode == InterceptionMode.Transparent
            ?
            [
                new(NetfilterTable.Mangle, true, [.. TransparentRules.Prerouting(options)]),
                .. Optional(options, NetfilterTable.Ports, true, LearningRules.Prerouting(options)),
                new(NetfilterTable.Mangle, false, [.. TransparentRules.Output(options)]),
                new(NetfilterTable.Ports, false, [.. LearningRules.Output(options)]),
            ]
            :
            [
                .. Optional(options, NetfilterTable.Raw, true, DnsZones.Prerouting(options)),
                .. Optional(options, NetfilterTable.Mangle, true, MangleInbound(options)),
                new(NetfilterTable.Nat, true, [.. Inbound(options)]),
                .. Optional(options, NetfilterTable.Raw, false, DnsZones.Output(options)),
                .. Optional(options, NetfilterTable.Mangle, false, options.Mode == InterceptionMode.Tproxy ? TproxyRules.Output(options) : []),
                new(NetfilterTable.Nat, false, [.. OutboundRules.Of(options, Redirecting(options))]),
            ];
        return new(options.WithIpv6, [.. chains], Routing(options)) { Sets = options.Mode == InterceptionMode.Transparent ? LearningRules.Sets(options) : [] };
    }

    private static OutboundCapture Redirecting(RedirectOptions o) =>
        new(RuleVerdict.Redirect(o.OutboundPort), RuleVerdict.Redirect(o.InboundPort), RuleVerdict.Redirect(o.DnsPort));

    private static PolicyRouting Routing(RedirectOptions o)
    {
        uint[] marks = o.Mode switch
        {
            InterceptionMode.Tproxy when InboundRules.Captures(o) => [o.Mark],
            InterceptionMode.Transparent => [o.Mark, PacketMarks.SelfCall, PacketMarks.Outbound, .. o.CapturesDns ? new[] { PacketMarks.Dns } : []],
            _ => [],
        };
        AddressFamily[] families = o.WithIpv6 ? [AddressFamily.InterNetwork, AddressFamily.InterNetworkV6] : [AddressFamily.InterNetwork];
        // A self-call is handed to the application too, where nothing inbound was asked for.
        bool handsOver = o.RedirectOutbound || InboundRules.Captures(o);
        return new(o.RouteTable, marks, families, o.WithIpv6 && (handsOver || o.Mode != InterceptionMode.Redirect));
    }

    // Chains that most plans do not need are not there at all.
    private static IEnumerable<RedirectChain> Optional(RedirectOptions o, NetfilterTable table, bool inbound, IEnumerable<RedirectRule> rules)
    {
        RedirectRule[] all = [.. rules];
        return all.Length == 0 ? [] : [new(table, inbound, [.. OtherFamily(o), .. all])];
    }

    private static IEnumerable<RedirectRule> MangleInbound(RedirectOptions o)
    {
        RedirectRule[] tproxy = o.Mode == InterceptionMode.Tproxy && InboundRules.Captures(o) ? [.. TproxyRules.Prerouting(o)] : [];
        RedirectRule[] invalid = o.DropInvalid
            ? [new([new StateMatch(ConnectionState.Invalid)], RuleVerdict.Drop, "packets of no connection would pass by the translation and be reset")]
            : [];
        return tproxy.Length + invalid.Length == 0 ? [] : [.. ExcludedInterfaces(o), .. invalid, .. tproxy];
    }

    private static IEnumerable<RedirectRule> Inbound(RedirectOptions o)
    {
        RedirectRule[] behind = [.. InboundRules.Virtual(o, m =>
            [new RedirectRule(m, RuleVerdict.Redirect(o.OutboundPort), "what is behind this interface goes out through the proxy")])];
        RedirectRule[] captured = o.Mode == InterceptionMode.Redirect && InboundRules.Captures(o)
            ? [.. InboundRules.Excluded(o), new([InboundRules.Wanted(o)], RuleVerdict.Redirect(o.InboundPort), InboundRules.Why(o))]
            : [];
        return behind.Length + captured.Length == 0 ? [] : [.. OtherFamily(o), MartianLeftToTheKernel, .. behind, .. ExcludedInterfaces(o), .. captured];
    }
}

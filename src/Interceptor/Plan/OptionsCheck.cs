namespace MeshL4.Interceptor.Plan;

/// <summary>Options that are right one by one and cannot be so together.</summary>
internal static class OptionsCheck
{
    /// <summary>Refuses what cannot be together, naming both flags.</summary>
    public static void Together(RedirectOptions o, FlagReader flags)
    {
        Ports(o, flags);
        if (flags.Switch("dual-stack") && !o.WithIpv6)
        {
            Clash("dual-stack", "true", "ipv6", "off");
        }

        if (o.NativeNftables && o.ForcedIptables is string kind)
        {
            Clash("native-nftables", "true", "force-iptables-binary", kind);
        }

        if ((o.UdpPorts.All || !o.UdpPorts.Ports.IsEmpty) && o.Mode != InterceptionMode.Transparent)
        {
            flags.Refuse($"{flags.Origin("capture-udp")} '{flags.Text("capture-udp")}': only --istio-inbound-interception-mode TRANSPARENT captures UDP");
        }

        if (o.OwnerGroups is not null && o.ExcludedOwnerGroups.Count > 0)
        {
            Clash("istio-outbound-owner-groups", flags.Text("istio-outbound-owner-groups"), "istio-outbound-owner-groups-exclude", flags.Text("istio-outbound-owner-groups-exclude"));
        }

        if (o.Mode != InterceptionMode.Redirect && PacketMarks.All.Contains(o.Mark))
        {
            flags.Refuse($"{flags.Origin("istio-inbound-tproxy-mark")} '{o.Mark}': the rules need this mark for something else");
        }

        if (o.CleanupOnly && o.SkipRuleApply)
        {
            Clash("cleanup-only", "true", "skip-rule-apply", "true");
        }

        void Clash(string one, string? value, string other, string? otherValue) =>
            flags.Refuse($"{flags.Origin(one)} '{value}' and {flags.Origin(other)} '{otherValue}': only one of them can hold");
    }

    private static void Ports(RedirectOptions o, FlagReader flags)
    {
        if (o.OutboundPort == o.InboundPort)
        {
            flags.Refuse($"{flags.Origin("envoy-port")} '{o.OutboundPort}' and {flags.Origin("inbound-capture-port")} '{o.InboundPort}': the proxy needs two ports");
        }

        if (o.TunnelPort == o.InboundPort || o.TunnelPort == o.OutboundPort)
        {
            flags.Refuse($"{flags.Origin("inbound-tunnel-port")} '{o.TunnelPort}': already the port of a capture");
        }
    }
}

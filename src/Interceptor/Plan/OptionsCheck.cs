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

        if (o.CleanupOnly && o.SkipRuleApply)
        {
            Clash("cleanup-only", "true", "skip-rule-apply", "true");
        }

        if (flags.Errors.Count == 0)
        {
            NotYet(o, flags);
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

    // Options whose rules the planner does not write yet: better refused than ignored.
    private static void NotYet(RedirectOptions o, FlagReader flags)
    {
        (string Flag, bool Wanted)[] missing =
        [
            ("istio-inbound-interception-mode", o.Mode != InterceptionMode.Redirect), ("redirect-dns", o.Dns != DnsCapture.None),
            ("drop-invalid", o.DropInvalid), ("kube-virt-interfaces", o.VirtualInterfaces.Count > 0),
            ("istio-outbound-owner-groups", o.OwnerGroups is not null), ("istio-outbound-owner-groups-exclude", o.ExcludedOwnerGroups.Count > 0),
            ("exclude-outbound-ports-for-uids", o.UserExclusions.Count > 0), ("subnets-to-ignore", o.InboundExcludedSources.Count > 0),
            ("redirect-inbound", !o.RedirectInbound), ("redirect-outbound", !o.RedirectOutbound),
        ];
        foreach ((string flag, _) in missing.Where(m => m.Wanted))
        {
            flags.Refuse($"{flags.Origin(flag)} '{flags.Text(flag)}': not yet supported");
        }
    }
}

using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Options that are right one by one and cannot be so together.</summary>
internal static class OptionsCheck
{
    // How many one rule of iptables can name: its parser takes no more arguments.
    private const int MostGroupsOfIptables = 48;

    /// <summary>Why iptables cannot capture for so many groups alone, or null when it can.</summary>
    /// <param name="groups">How many; null when it is for everyone.</param>
    public static string? TooManyGroups(int? groups) =>
        groups > MostGroupsOfIptables ? $"iptables takes {MostGroupsOfIptables} groups at most, nft takes any number" : null;

    /// <summary>Refuses what cannot be together, naming both flags.</summary>
    public static void Together(RedirectOptions o, FlagReader flags)
    {
        Ports(o, flags);
        if (o is { DualStack: true, WithIpv6: false })
        {
            Clash("dual-stack", "true", "ipv6", "off");
        }

        if (!o.WithIpv6)
        {
            OneFamily(flags);
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

        if (o.ForcedIptables is string forced && TooManyGroups(o.OwnerGroups?.Count) is string tooMany)
        {
            flags.Refuse($"{flags.Origin("istio-outbound-owner-groups")} '{flags.Text("istio-outbound-owner-groups")}' and {flags.Origin("force-iptables-binary")} '{forced}': {tooMany}");
        }

        if (o.Mode != InterceptionMode.Redirect && PacketMarks.All.Contains(o.Mark))
        {
            flags.Refuse($"{flags.Origin("istio-inbound-tproxy-mark")} '{o.Mark}': the rules need this mark for something else");
        }

        if (o.Mode == InterceptionMode.Transparent)
        {
            Transparent(o, flags);
        }

        if (o.CleanupOnly && o.SkipRuleApply)
        {
            Clash("cleanup-only", "true", "skip-rule-apply", "true");
        }

        void Clash(string one, string? value, string other, string? otherValue) =>
            flags.Refuse($"{flags.Origin(one)} '{value}' and {flags.Origin(other)} '{otherValue}': only one of them can hold");
    }

    private static readonly string[] AddressLists = ["istio-service-cidr", "istio-service-exclude-cidr", "subnets-to-ignore", "dns-servers"];

    private static void OneFamily(FlagReader flags)
    {
        foreach (string list in AddressLists)
        {
            foreach (string entry in flags.Entries(list).Where(e => EntryParser.TryBlock(e, out IPNetwork b) && b.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6))
            {
                flags.Refuse($"{flags.Origin(list)} '{entry}': is of IPv6, and {flags.Origin("ipv6")} '{flags.Text("ipv6")}' leaves all of that alone");
            }
        }
    }

    private static void Ports(RedirectOptions o, FlagReader flags)
    {
        if (o.OutboundPort == o.InboundPort)
        {
            flags.Refuse($"{flags.Origin("envoy-port")} '{o.OutboundPort}' and {flags.Origin("inbound-capture-port")} '{o.InboundPort}': the proxy needs two ports");
        }

        var taken = new Dictionary<int, string> { [o.OutboundPort] = "envoy-port", [o.InboundPort] = "inbound-capture-port" };
        if (!taken.TryAdd(o.TunnelPort, "inbound-tunnel-port"))
        {
            flags.Refuse($"{flags.Origin("inbound-tunnel-port")} '{o.TunnelPort}': already the port of a capture");
        }

        if (o.CapturesDns && taken.TryGetValue(o.DnsPort, out string? resolver))
        {
            flags.Refuse($"{flags.Origin(resolver)} '{o.DnsPort}': with {flags.Origin("redirect-dns")} the proxy's resolver has this port");
        }

        // The verification plays proxy and application itself, so their ports must differ.
        if (o.Verify != VerifyMode.Off || o.RunValidation)
        {
            int application = RedirectOptions.ApplicationPort(o.ProbePort);
            foreach (int port in new[] { o.ProbePort, application }.Where(taken.ContainsKey))
            {
                flags.Refuse($"{flags.Origin("iptables-probe-port")} '{o.ProbePort}' and {flags.Origin(taken[port])} '{port}': "
                    + $"the verification needs two ports of its own, this one and {application}");
            }
        }
    }

    // What would be set aside in silence, or fail only when the rules are written.
    private static void Transparent(RedirectOptions o, FlagReader flags)
    {
        const string Why = "has no meaning with --istio-inbound-interception-mode TRANSPARENT";
        if (o.DropInvalid)
        {
            flags.Refuse($"{flags.Origin("drop-invalid")} 'true': {Why}, which tracks no connection");
        }

        if (o.ForcedIptables is string kind)
        {
            flags.Refuse($"{flags.Origin("force-iptables-binary")} '{kind}': {Why}, which needs nft");
        }
    }
}

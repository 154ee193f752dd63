using static MeshL4.Interceptor.Plan.FlagGroup;

namespace MeshL4.Interceptor.Plan;

/// <summary>The flags: the one place that names them all.</summary>
internal static class FlagTable
{
    /// <summary>In the order of --help.</summary>
    public static IReadOnlyList<RedirectFlag> All { get; } =
    [
        new(Inbound, "istio-inbound-ports", 'b', false, "Ports to capture: list with ranges, or '*'. Default none."),
        new(Inbound, "istio-local-exclude-ports", 'd', false, "Ports left alone when -b is '*'."),
        new(Inbound, "subnets-to-ignore", null, false, "Sources left alone."),
        new(Inbound, "kube-virt-interfaces", 'k', false, "Interfaces of virtual machines: captured as outbound."),
        new(Inbound, "drop-invalid", null, true, "Drop packets that connection tracking finds invalid.") { Variables = ["DROP_INVALID", "INVALID_DROP"] },
        new(Inbound, "redirect-inbound", null, true, "false leaves all of it alone. Default true."),

        new(Outbound, "istio-service-cidr", 'i', false, "Destinations to capture: list, or '*'. Default none."),
        new(Outbound, "istio-service-exclude-cidr", 'x', false, "Destinations left alone."),
        new(Outbound, "istio-outbound-ports", 'q', false, "Ports captured whatever the destination."),
        new(Outbound, "istio-local-outbound-ports-exclude", 'o', false, "Ports left alone (TCP and UDP)."),
        new(Outbound, "exclude-outbound-ports-for-uids", null, false, "PROTO:PORTS:UIDS left alone for these users only."),
        new(Outbound, "istio-outbound-owner-groups", null, false, "Only processes of these groups. Default '*'."),
        new(Outbound, "istio-outbound-owner-groups-exclude", null, false, "Processes of these groups are left alone."),
        new(Outbound, "istio-outbound-ipv4-loopback-cidr", null, false, "Loopback block left alone. Default 127.0.0.1/32."),
        new(Outbound, "redirect-outbound", null, true, "false leaves all of it alone. Default true."),

        new(Dns, "redirect-dns", null, true, "Port 53 to the proxy's 15053, for resolv.conf's servers.") { Variables = ["REDIRECT_DNS", "ISTIO_META_DNS_CAPTURE"] },
        new(Dns, "capture-all-dns", null, true, "With redirect-dns: for every server."),
        new(Dns, "dns-servers", null, false, "The servers, instead of resolv.conf's."),

        // No variable: a Kubernetes service called "envoy" would set ENVOY_PORT in every pod beside it.
        new(Proxy, "envoy-port", 'p', false, "Outbound connections go here. Default 15001.") { Variables = [] },
        new(Proxy, "inbound-capture-port", 'z', false, "Inbound connections go here. Default 15006."),
        new(Proxy, "inbound-tunnel-port", 'e', false, "Tunnel port, reached directly. Default 15008."),
        new(Proxy, "proxy-uid", 'u', false, "Its user ids. Default --envoy-user's, else 1337."),
        new(Proxy, "proxy-gid", 'g', false, "Its group ids. Default: the user ids."),
        new(Proxy, "envoy-user", null, false, "Its user's name. Default istio-proxy."),
        new(Proxy, "istio-inbound-interception-mode", 'm', false, "REDIRECT (default), TPROXY, or TRANSPARENT (no NAT)."),
        new(Proxy, "capture-udp", null, false, "With TRANSPARENT: UDP ports, or '*'. Default none."),
        new(Proxy, "istio-inbound-tproxy-mark", 't', false, "Mark of captured packets. Default 1337."),
        new(Proxy, "istio-inbound-tproxy-route-table", 'r', false, "Their routing table. Default 133."),

        new(Applying, "istio-exclude-interfaces", 'c', false, "Left alone both ways; 'eth+' is all of eth."),
        new(Applying, "ipv6", null, false, "on or off. Default: on if the pod has IPv6 only; or --dual-stack."),
        new(Applying, "dual-stack", null, true, "IPv6 too, if the pod has an address of it. Default false.") { Variables = ["DUAL_STACK", "ISTIO_DUAL_STACK"] },
        new(Applying, "from-annotations", null, false, "KEY=VALUE or a file: Istio's or Linkerd's annotations."),
        new(Applying, "dry-run", 'n', true, "Print, apply nothing."),
        new(Applying, "cleanup-only", null, true, "Remove the rules, as the cleanup command does."),
        new(Applying, "force-apply", null, true, "Write the rules even where they are equal."),
        new(Applying, "reconcile", null, true, "false: rules that differ are an error. Default true."),
        new(Applying, "network-namespace", null, false, "Path of the network namespace to work in."),
        new(Applying, "cni-mode", null, true, "By a CNI plugin: wait for no xtables lock of the node."),
        new(Applying, "native-nftables", null, true, "nft only, never iptables."),
        new(Applying, "force-iptables-binary", null, false, "legacy or nft: that iptables, not nft."),

        new(Verifying, "verify", null, false, "on, strict (all must be shown) or off. Default on."),
        new(Verifying, "run-validation", null, true, "Verify, also after --verify=off."),
        new(Verifying, "skip-rule-apply", null, true, "Apply nothing: the rules are a CNI plugin's."),
        new(Verifying, "iptables-probe-port", null, false, "Port it calls; the application's is the next. Default 15002."),
        new(Verifying, "probe-timeout", null, false, "Wait for packets once all are sent (senders: 30s to start). Default 5s."),
    ];
}

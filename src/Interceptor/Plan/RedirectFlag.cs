namespace MeshL4.Interceptor.Plan;

/// <summary>A flag of the command line that shapes the plan, named as in istio-iptables.</summary>
/// <param name="Name">Long name without dashes.</param>
/// <param name="Short">One-letter name, or null.</param>
/// <param name="IsSwitch">True when the flag needs no value.</param>
/// <param name="Description">One line for --help, with the default.</param>
internal sealed record RedirectFlag(string Name, char? Short, bool IsSwitch, string Description)
{
    /// <summary>Every flag, in the order of --help.</summary>
    public static IReadOnlyList<RedirectFlag> All { get; } =
    [
        new("envoy-port", 'p', false, "Proxy port for outbound connections. Default 15001."),
        new("inbound-capture-port", 'z', false, "Proxy port for inbound connections. Default 15006."),
        new("inbound-tunnel-port", 'e', false, "Tunnel port, reached directly. Default 15008."),
        new("proxy-uid", 'u', false, "User ids of the proxy, never captured. Default 1337."),
        new("proxy-gid", 'g', false, "Group ids of the proxy, never captured. Default: the user ids."),
        new("istio-inbound-ports", 'b', false, "Inbound ports to capture: list with ranges, or '*'. Default none."),
        new("istio-local-exclude-ports", 'd', false, "Inbound ports left alone when -b is '*'."),
        new("istio-service-cidr", 'i', false, "Outbound destinations to capture: list, or '*'. Default none."),
        new("istio-service-exclude-cidr", 'x', false, "Outbound destinations left alone."),
        new("istio-outbound-ports", 'q', false, "Outbound ports captured whatever the destination."),
        new("istio-local-outbound-ports-exclude", 'o', false, "Outbound ports left alone (TCP and UDP)."),
        new("istio-exclude-interfaces", 'c', false, "Interfaces left alone in both directions; a final '+' stands for any ending."),
        new("istio-outbound-ipv4-loopback-cidr", null, false, "Loopback block left alone outbound. Default 127.0.0.1/32."),
        new("istio-inbound-interception-mode", 'm', false, "How inbound connections are captured. Only REDIRECT."),
        new("dual-stack", null, true, "Redirect IPv6 too: the default here, unless --ipv6=off."),
        new("ipv6", null, false, "Redirect IPv6 too: on or off. Default on."),
        new("dry-run", 'n', true, "Print what would be applied, apply nothing."),
        new("cleanup-only", null, true, "Remove the rules, as the cleanup command does."),
        new("verify", null, false, "Send packets after applying: on, strict (all must be shown) or off. Default on."),
        new("run-validation", null, true, "Verify, also after --verify=off."),
        new("skip-rule-apply", null, true, "Apply nothing: the rules are a CNI plugin's; with --run-validation, verify them."),
        new("iptables-probe-port", null, false, "Port that verify calls; the next one is its application's. Default 15002."),
        new("probe-timeout", null, false, "How long verify waits for a packet. Default 5s."),
        new("native-nftables", null, true, "Use nft only; never fall back to iptables."),
        new("force-iptables-binary", null, false, "Use iptables of this kind instead of nft: legacy or nft."),
    ];

    /// <summary>The environment variable that stands for the flag when the flag is not given.</summary>
    public string Variable => Name.ToUpperInvariant().Replace('-', '_');
}

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>A configuration for which Istio keeps a golden rule set, and the same configuration in our flags.</summary>
/// <param name="Name">Name of the golden file.</param>
/// <param name="Flags">Our flags, "name=value" with spaces between; what Istio's test leaves at its default is not there.</param>
internal sealed record IstioCase(string Name, string Flags)
{
    private const string DnsV4 = "redirect-dns=true dns-servers=127.0.0.53";

    /// <summary>Does Istio keep one for this backend?</summary>
    public bool Has(string backend) => backend == Nft || Name != "inbound-ports-empty-tproxy";

    /// <summary>The proxy's first user id.</summary>
    public uint Proxy => Flags.Contains("proxy-uid=3,4", StringComparison.Ordinal) ? 3u : 1337u;

    /// <summary>Istio's nftables rule sets.</summary>
    public const string Nft = "nft";

    /// <summary>Istio's iptables rule sets.</summary>
    public const string Iptables = "iptables";

    /// <summary>Every case. Istio's tests switch IPv6 off unless the case is about it.</summary>
    public static IReadOnlyList<IstioCase> All { get; } =
    [
        new("basic-exclude-nic", "istio-exclude-interfaces=not-istio-nic ipv6=off"),
        new("dns-uid-gid", "redirect-dns=true dns-servers=127.0.0.53,::127.0.0.53 proxy-gid=1,2 proxy-uid=3,4"),
        new("drop-invalid", "drop-invalid=true ipv6=off"),
        new("empty", "ipv6=off"),
        new("host-ipv4-loopback-cidr", "istio-outbound-ipv4-loopback-cidr=127.0.0.1/8 ipv6=off"),
        new("inbound-ports-empty-tproxy", "istio-inbound-interception-mode=TPROXY ipv6=off"),
        new("inbound-ports-include", "istio-inbound-ports=32000,31000 ipv6=off"),
        new("inbound-ports-tproxy", "istio-inbound-ports=32000,31000 istio-inbound-interception-mode=TPROXY ipv6=off"),
        new("inbound-ports-wildcard", "istio-inbound-ports=* ipv6=off"),
        new("inbound-ports-wildcard-tproxy", "istio-inbound-ports=* istio-inbound-interception-mode=TPROXY ipv6=off"),
        new("ip-range", $"istio-service-exclude-cidr=1.1.0.0/16 istio-service-cidr=9.9.0.0/16 {DnsV4} proxy-gid=1,2 proxy-uid=3,4 ipv6=off"),
        new("ipnets", "istio-service-cidr=10.0.0.0/8 ipv6=off"),
        new("ipnets-with-kube-virt-interfaces", "kube-virt-interfaces=eth1,eth2 istio-service-cidr=10.0.0.0/8 ipv6=off"),
        new("ipv6-dns-outbound-owner-groups", "redirect-dns=true dns-servers= istio-outbound-owner-groups=9001,202"),
        new("ipv6-dns-outbound-owner-groups-exclude", "redirect-dns=true dns-servers= istio-outbound-owner-groups-exclude=888,9002"),
        new("ipv6-dns-uid-gid", "redirect-dns=true dns-servers= proxy-gid=1,2 proxy-uid=3,4"),
        new("ipv6-empty-inbound-ports", ""),
        new("ipv6-inbound-ports", "istio-inbound-ports=4000,5000"),
        new("ipv6-ipnets", "istio-inbound-ports=4000,5000 istio-local-exclude-ports=6000,7000 kube-virt-interfaces=eth0,eth1 "
            + "istio-service-exclude-cidr=2001:db8::/32 istio-service-cidr=2001:db8::/32"),
        new("ipv6-outbound-ports", "istio-outbound-ports=32000,31000"),
        new("ipv6-uid-gid", "istio-inbound-ports=4000,5000 istio-local-exclude-ports=6000,7000 kube-virt-interfaces=eth0,eth1 "
            + "proxy-gid=1,2 proxy-uid=3,4 istio-service-exclude-cidr=2001:db8::/32 istio-service-cidr=2001:db8::/32"),
        new("ipv6-virt-interfaces", "istio-inbound-ports=4000,5000 kube-virt-interfaces=eth0,eth1"),
        new("kube-virt-interfaces", "kube-virt-interfaces=eth1,eth2 istio-service-cidr=* ipv6=off"),
        new("loopback-outbound-iprange", $"istio-service-cidr=127.1.2.3/32 {DnsV4} proxy-gid=1,2 proxy-uid=3,4 ipv6=off"),
        new("outbound-owner-groups", "istio-outbound-owner-groups=9001,202 ipv6=off"),
        new("outbound-owner-groups-exclude", "istio-outbound-owner-groups-exclude=888,9002 ipv6=off"),
        new("outbound-ports-include", "istio-outbound-ports=32000,31000 ipv6=off"),
        new("tproxy", $"istio-inbound-interception-mode=TPROXY istio-inbound-ports=* istio-service-exclude-cidr=1.1.0.0/16 istio-service-cidr=9.9.0.0/16 {DnsV4} "
            + "proxy-gid=1337 proxy-uid=1337 istio-exclude-interfaces=not-istio-nic"),
    ];
}

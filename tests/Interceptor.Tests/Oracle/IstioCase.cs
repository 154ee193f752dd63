using System.Net;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>A configuration for which Istio keeps a golden rule set, and the same configuration in our options.</summary>
/// <param name="Name">Name of the golden file.</param>
/// <param name="Options">Our options.</param>
internal sealed record IstioCase(string Name, RedirectOptions Options)
{
    /// <summary>Istio's nftables rule sets.</summary>
    public const string Nft = "nft";

    /// <summary>Istio's iptables rule sets.</summary>
    public const string Iptables = "iptables";

    // What Istio's tests have where a case does not say otherwise.
    private static readonly RedirectOptions Both = new() { WithIpv6 = true };
    private static readonly RedirectOptions V4 = new() { WithIpv6 = false };

    private static readonly IReadOnlyList<IPAddress> Resolver = [IPAddress.Parse("127.0.0.53")];

    /// <summary>Every case.</summary>
    public static IReadOnlyList<IstioCase> All { get; } =
    [
        new("basic-exclude-nic", V4 with { ExcludedInterfaces = ["not-istio-nic"] }),
        new("dns-uid-gid", TwoOwners(Both) with { Dns = DnsCapture.Servers, DnsServers = [.. Resolver, IPAddress.Parse("::127.0.0.53")] }),
        new("drop-invalid", V4 with { DropInvalid = true }),
        new("empty", V4),
        new("host-ipv4-loopback-cidr", V4 with { LoopbackBlock = IPNetwork.Parse("127.0.0.0/8") }),
        new("inbound-ports-empty-tproxy", V4 with { Mode = InterceptionMode.Tproxy }),
        new("inbound-ports-include", V4 with { InboundPorts = Ports(32000, 31000) }),
        new("inbound-ports-tproxy", V4 with { InboundPorts = Ports(32000, 31000), Mode = InterceptionMode.Tproxy }),
        new("inbound-ports-wildcard", V4 with { InboundPorts = AllPorts }),
        new("inbound-ports-wildcard-tproxy", V4 with { InboundPorts = AllPorts, Mode = InterceptionMode.Tproxy }),
        new("ip-range", WithResolver(TwoOwners(V4)) with { OutboundExcludedBlocks = Blocks("1.1.0.0/16"), OutboundBlocks = new(false, Blocks("9.9.0.0/16")) }),
        new("ipnets", V4 with { OutboundBlocks = new(false, Blocks("10.0.0.0/8")) }),
        new("ipnets-with-kube-virt-interfaces", V4 with { VirtualInterfaces = ["eth1", "eth2"], OutboundBlocks = new(false, Blocks("10.0.0.0/8")) }),
        new("ipv6-dns-outbound-owner-groups", Both with { Dns = DnsCapture.Servers, OwnerGroups = [9001, 202] }),
        new("ipv6-dns-outbound-owner-groups-exclude", Both with { Dns = DnsCapture.Servers, ExcludedOwnerGroups = [888, 9002] }),
        new("ipv6-dns-uid-gid", TwoOwners(Both) with { Dns = DnsCapture.Servers }),
        new("ipv6-empty-inbound-ports", Both),
        new("ipv6-inbound-ports", Both with { InboundPorts = Ports(4000, 5000) }),
        new("ipv6-ipnets", Virtual(Both) with { OutboundExcludedBlocks = Blocks("2001:db8::/32"), OutboundBlocks = new(false, Blocks("2001:db8::/32")) }),
        new("ipv6-outbound-ports", Both with { OutboundPorts = Ports(32000, 31000).Ports }),
        new("ipv6-uid-gid", TwoOwners(Virtual(Both)) with { OutboundExcludedBlocks = Blocks("2001:db8::/32"), OutboundBlocks = new(false, Blocks("2001:db8::/32")) }),
        new("ipv6-virt-interfaces", Both with { InboundPorts = Ports(4000, 5000), VirtualInterfaces = ["eth0", "eth1"] }),
        new("kube-virt-interfaces", V4 with { VirtualInterfaces = ["eth1", "eth2"], OutboundBlocks = new(true, []) }),
        new("loopback-outbound-iprange", WithResolver(TwoOwners(V4)) with { OutboundBlocks = new(false, Blocks("127.1.2.3/32")) }),
        new("outbound-owner-groups", V4 with { OwnerGroups = [9001, 202] }),
        new("outbound-owner-groups-exclude", V4 with { ExcludedOwnerGroups = [888, 9002] }),
        new("outbound-ports-include", V4 with { OutboundPorts = Ports(32000, 31000).Ports }),
        new("tproxy", WithResolver(Both) with
        {
            Mode = InterceptionMode.Tproxy,
            InboundPorts = AllPorts,
            OutboundExcludedBlocks = Blocks("1.1.0.0/16"),
            OutboundBlocks = new(false, Blocks("9.9.0.0/16")),
            ExcludedInterfaces = ["not-istio-nic"],
        }),
    ];

    private static PortChoice AllPorts => new(true, new PortSet([]));

    /// <summary>Does Istio keep one for this backend?</summary>
    public bool Has(string backend) => backend == Nft || Name != "inbound-ports-empty-tproxy";

    private static RedirectOptions TwoOwners(RedirectOptions options) => options with { ProxyUids = [3, 4], ProxyGids = [1, 2] };

    private static RedirectOptions WithResolver(RedirectOptions options) => options with { Dns = DnsCapture.Servers, DnsServers = Resolver };

    private static RedirectOptions Virtual(RedirectOptions options) => options with
    {
        InboundPorts = Ports(4000, 5000),
        InboundExcludedPorts = Ports(6000, 7000).Ports,
        VirtualInterfaces = ["eth0", "eth1"],
    };

    private static PortChoice Ports(params int[] ports) => new(false, new PortSet(ports.Select(p => new PortRange(p, p))));

    private static IPNetwork[] Blocks(params string[] blocks) => [.. blocks.Select(b => IPNetwork.Parse(b))];
}

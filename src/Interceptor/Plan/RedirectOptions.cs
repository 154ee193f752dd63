using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Everything the plan is made from, already valid. Defaults are those of istio-iptables: nothing is captured until asked
/// for.</summary>
internal sealed record RedirectOptions
{
    private static readonly PortSet NoPorts = new([]);

    /// <summary>Where outbound connections are sent: the proxy's outbound listener.</summary>
    public int OutboundPort { get; init; } = 15001;

    /// <summary>Where inbound connections are sent: the proxy's inbound listener.</summary>
    public int InboundPort { get; init; } = 15006;

    /// <summary>Tunnel port: inbound connections to it reach the proxy directly.</summary>
    public int TunnelPort { get; init; } = 15008;

    /// <summary>User ids of the proxy; never captured.</summary>
    public IReadOnlyList<uint> ProxyUids { get; init; } = [1337];

    /// <summary>Group ids of the proxy; never captured.</summary>
    public IReadOnlyList<uint> ProxyGids { get; init; } = [1337];

    /// <summary>Inbound ports to capture.</summary>
    public PortChoice InboundPorts { get; init; } = new(false, NoPorts);

    /// <summary>Inbound ports left alone; only looked at when all inbound ports are captured.</summary>
    public PortSet InboundExcludedPorts { get; init; } = NoPorts;

    /// <summary>Outbound destinations to capture.</summary>
    public CidrChoice OutboundBlocks { get; init; } = new(false, []);

    /// <summary>Outbound destinations left alone.</summary>
    public IReadOnlyList<IPNetwork> OutboundExcludedBlocks { get; init; } = [];

    /// <summary>Outbound ports captured whatever the destination.</summary>
    public PortSet OutboundPorts { get; init; } = NoPorts;

    /// <summary>Outbound ports left alone.</summary>
    public PortSet OutboundExcludedPorts { get; init; } = NoPorts;

    /// <summary>Interfaces whose traffic is left alone, in both directions.</summary>
    public IReadOnlyList<string> ExcludedInterfaces { get; init; } = [];

    /// <summary>The IPv4 block that counts as loopback for outbound traffic.</summary>
    public IPNetwork LoopbackBlock { get; init; } = IPNetwork.Parse("127.0.0.1/32");

    /// <summary>Redirect IPv6 too.</summary>
    public bool WithIpv6 { get; init; } = true;

    /// <summary>Do the pod's addresses decide <see cref="WithIpv6"/>? <see cref="Ipv6Choice"/> says how.</summary>
    public bool Ipv6ByAddresses { get; init; } = true;

    /// <summary>Then one of IPv6 is enough.</summary>
    public bool DualStack { get; init; }

    /// <summary>"legacy" or "nft" forces that iptables; null chooses.</summary>
    public string? ForcedIptables { get; init; }

    /// <summary>Only nft will do: no fallback to iptables.</summary>
    public bool NativeNftables { get; init; }

    /// <summary>Print the plan, apply nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>Remove the rules instead of applying them.</summary>
    public bool CleanupOnly { get; init; }

    /// <summary>What a verification must show.</summary>
    public VerifyMode Verify { get; init; } = VerifyMode.On;

    /// <summary>Verify, also where <see cref="Verify"/> would not.</summary>
    public bool RunValidation { get; init; }

    /// <summary>Leave the kernel's rules as they are: somebody else (a CNI plugin) writes them.</summary>
    public bool SkipRuleApply { get; init; }

    /// <summary>Port that a verification calls; on the next one it plays the application.</summary>
    public int ProbePort { get; init; } = 15002;

    /// <summary>The port on which a verification plays the application, beside the one that it calls: the next, and of the last the one before.</summary>
    public static int ApplicationPort(int probePort) => probePort < 65535 ? probePort + 1 : probePort - 1;

    /// <summary>The first of the routing tables of a verification, and how many there are: no other routes are to be in them.</summary>
    public const int FirstVerificationTable = 31300, VerificationTables = 8;

    /// <summary>How long a verification waits for a packet.</summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How connections reach the proxy.</summary>
    public InterceptionMode Mode { get; init; } = InterceptionMode.Redirect;

    /// <summary>Firewall mark of packets on their way to the proxy, where the mode needs one.</summary>
    public uint Mark { get; init; } = 1337;

    /// <summary>Routing table of marked packets.</summary>
    public int RouteTable { get; init; } = 133;

    /// <summary>Which DNS queries go to the proxy's resolver.</summary>
    public DnsCapture Dns { get; init; } = DnsCapture.None;

    /// <summary>The servers whose queries are captured with <see cref="DnsCapture.Servers"/>, both families mixed.</summary>
    public IReadOnlyList<IPAddress> DnsServers { get; init; } = [];

    /// <summary>Is any query captured? Without a server of a family that is redirected there is none to capture.</summary>
    public bool CapturesDns => Dns == DnsCapture.All
        || (Dns == DnsCapture.Servers && DnsServers.Any(s => WithIpv6 || s.AddressFamily == AddressFamily.InterNetwork));

    /// <summary>Where captured DNS queries are sent, by UDP and TCP.</summary>
    public int DnsPort { get; init; } = 15053;

    /// <summary>Drop inbound packets that connection tracking finds invalid.</summary>
    public bool DropInvalid { get; init; }

    /// <summary>Interfaces of virtual machines: what arrives there is captured as outbound.</summary>
    public IReadOnlyList<string> VirtualInterfaces { get; init; } = [];

    /// <summary>Only processes with one of these primary groups are captured outbound; null for everyone.</summary>
    public IReadOnlyList<uint>? OwnerGroups { get; init; }

    /// <summary>Processes with one of these primary groups are left alone outbound.</summary>
    public IReadOnlyList<uint> ExcludedOwnerGroups { get; init; } = [];

    /// <summary>UDP ports to capture, in both directions; only in <see cref="InterceptionMode.Transparent"/>.</summary>
    public PortChoice UdpPorts { get; init; } = new(false, NoPorts);

    /// <summary>Outbound ports left alone for some users only.</summary>
    public IReadOnlyList<UserPortExclusion> UserExclusions { get; init; } = [];

    /// <summary>Sources whose inbound connections are left alone.</summary>
    public IReadOnlyList<IPNetwork> InboundExcludedSources { get; init; } = [];

    /// <summary>False leaves all inbound traffic alone, whatever the ports say.</summary>
    public bool RedirectInbound { get; init; } = true;

    /// <summary>False leaves all outbound traffic alone, whatever the destinations say.</summary>
    public bool RedirectOutbound { get; init; } = true;

    /// <summary>Write the rules even when equal ones are there.</summary>
    public bool ForceApply { get; init; }

    /// <summary>Replace rules of ours that differ; false makes them an error.</summary>
    public bool Reconcile { get; init; } = true;

    /// <summary>Run beside programs of the node that hold its xtables lock: the lock is the network namespace's instead.</summary>
    public bool CniMode { get; init; }

    /// <summary>Path of the network namespace to work in; null for the one the process is in.</summary>
    public string? NetworkNamespace { get; init; }
}

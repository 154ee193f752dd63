using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Options and plan to the packets that show whether the kernel keeps them. Pure: which packets is chosen here, where each
/// must arrive is only what the plan decides for it.</summary>
internal sealed class Promises
{
    /// <summary>Applications' connections to the outside go to the proxy.</summary>
    public const string OutboundCaptured = "outbound connections of applications are captured";

    /// <summary>Destinations and ports that nobody asked for.</summary>
    public const string OutboundNotAskedFor = "outbound connections that were not asked for are left alone";

    /// <summary>The proxy's own connections leave.</summary>
    public const string ProxyNotLooped = "connections of the proxy do not come back to it";

    /// <summary>Ports excluded outbound.</summary>
    public const string PortsExcluded = "excluded outbound ports are left alone";

    /// <summary>Destinations excluded.</summary>
    public const string BlocksExcluded = "excluded destinations are left alone";

    /// <summary>Interfaces excluded, in both directions.</summary>
    public const string InterfacesExcluded = "excluded interfaces are left alone";

    /// <summary>The proxy's connection to a service of this pod.</summary>
    public const string SelfCall = "a call to the pod's own service passes the inbound port";

    /// <summary>The proxy's connection to the application.</summary>
    public const string Passthrough = "what the proxy hands to the application reaches it";

    /// <summary>Loopback, and the pod's own address between applications.</summary>
    public const string Loopback = "connections between applications of the pod are left alone";

    /// <summary>DNS over UDP where it is captured.</summary>
    public const string DnsOverUdp = "name resolution over UDP is captured";

    /// <summary>DNS over TCP where that over UDP is captured.</summary>
    public const string DnsOverTcp = "name resolution over TCP is captured";

    /// <summary>DNS where nobody asked for it.</summary>
    public const string DnsLeftAlone = "name resolution is left alone";

    /// <summary>Inbound connections go to the proxy.</summary>
    public const string InboundCaptured = "inbound connections are captured";

    /// <summary>Inbound ports that are excluded, not listed, or the tunnel's.</summary>
    public const string InboundLeftAlone = "inbound ports excluded or not asked for are left alone";

    /// <summary>The other family when the options switch it off.</summary>
    public const string Ipv6LeftAlone = "IPv6 is left alone";

    /// <summary>The address from which the proxy hands inbound connections to the application.</summary>
    public static readonly IPAddress PassthroughAddress = IPAddress.Parse("127.0.0.6");

    private const int DnsPort = 53;
    private static readonly int[] OrdinaryPorts = [80, 8080, 9000, 7000];

    private readonly RedirectOptions _options;
    private readonly RedirectPlan _plan;
    private readonly ProbeSite _site;
    private readonly AddressFamily _family;

    private Promises(RedirectOptions options, RedirectPlan plan, ProbeSite site, AddressFamily family)
    {
        _options = options;
        _plan = plan;
        _site = site;
        _family = family;
    }

    private int OrdinaryPort => OrdinaryPorts.FirstOrDefault(p => !_options.OutboundExcludedPorts.Contains(p), OrdinaryPorts[0]);

    private IPAddress Outside => ProbeLink.Outside(_family);

    private IPAddress LoopbackAddress => _family == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback;

    /// <summary>Every packet to send, IPv4 first.</summary>
    public static IReadOnlyList<Probe> Of(RedirectOptions options, RedirectPlan plan, ProbeSite site) =>
    [
        .. new Promises(options, plan, site, AddressFamily.InterNetwork).All(),
        .. new Promises(options, plan, site, AddressFamily.InterNetworkV6).All(),
    ];

    /// <summary>The proxy's port to which <paramref name="plan"/> sends <paramref name="packet"/>; null when it leaves it alone.</summary>
    internal static int? PortOf(RedirectPlan plan, Packet packet) => plan.Decide(packet)?.Verdict.Port;

    private IEnumerable<Probe> All() => _family == AddressFamily.InterNetworkV6 && !_options.WithIpv6
        ? [From(Ipv6LeftAlone, _site.Application, Outside, OrdinaryPort), In(Ipv6LeftAlone, _site.ProbePort)]
        :
        [
            .. Wanted(), .. Proxy(), .. ExcludedPorts(), .. ExcludedBlocks(), .. ExcludedInterfaces(),
            .. InsidePod(), .. NameResolution(), .. Inbound(),
        ];

    // Asked for and yet excluded is possible; which of the two it is, the plan says.
    private IEnumerable<Probe> Wanted()
    {
        var targets = new List<IPEndPoint> { new(Outside, OrdinaryPort) };
        targets.AddRange(ProbeAddresses.Ends(_options.OutboundPorts).Select(p => new IPEndPoint(Outside, p)));
        targets.AddRange(Representatives(_options.OutboundBlocks.Blocks).Where(r => r.Address is not null)
            .Select(r => new IPEndPoint(r.Address!, OrdinaryPort)));
        foreach (IPEndPoint target in targets.Distinct())
        {
            Probe probe = From(OutboundCaptured, _site.Application, target.Address, target.Port);
            yield return probe.Port is null ? probe with { Promise = OutboundNotAskedFor } : probe;
        }
    }

    // Each id by itself, the other one a stranger's: a rule for the user must not hide that the one for the group is gone.
    private IEnumerable<Probe> Proxy() => ProxyIdentities().Select(id => From(ProxyNotLooped, id, Outside, OrdinaryPort));

    private IEnumerable<Identity> ProxyIdentities() =>
    [
        .. _options.ProxyUids.Select(uid => new Identity(uid, _site.Application.Gid)),
        .. _options.ProxyGids.Select(gid => new Identity(_site.Application.Uid, gid)),
    ];

    // Ourselves when we are that user: a CNI plugin's validation runs as the proxy and may not become anybody else.
    private Identity Proxy(uint uid) => _site.Self.Uid == uid ? _site.Self : new(uid, _site.Application.Gid);

    private IEnumerable<Probe> ExcludedPorts() => ProbeAddresses.Sample(ProbeAddresses.Ends(_options.OutboundExcludedPorts)).SelectMany(p => new[]
    {
        From(PortsExcluded, _site.Application, Outside, p),
        From(PortsExcluded, _site.Application, Outside, p, Transports.Udp),
    });

    private IEnumerable<Probe> ExcludedBlocks() => Representatives(_options.OutboundExcludedBlocks).Select(r => r.Address is null
        ? From(BlocksExcluded, _site.Application, Outside, OrdinaryPort) with { Obstacle = $"{r.Block} has no address that a packet can be sent to" }
        : From(BlocksExcluded, _site.Application, r.Address, OrdinaryPort));

    private IEnumerable<Probe> ExcludedInterfaces()
    {
        for (int i = 0; i < _options.ExcludedInterfaces.Count; i++)
        {
            string name = _options.ExcludedInterfaces[i];
            var link = new ProbeLink(Math.Min(i + 1, ProbeLink.Most - 1), name.EndsWith('+') ? $"{name[..Math.Min(name.Length - 1, 12)]}ml4" : name);
            string? obstacle = i + 1 >= ProbeLink.Most ? $"more than {ProbeLink.Most - 1} excluded interfaces"
                : _site.Interfaces.Contains(link.Near) ? $"{link.Near} is there already, and a packet would leave the pod by it" : null;
            yield return From(InterfacesExcluded, _site.Application, Outside, OrdinaryPort, link: link) with { Obstacle = obstacle };
            yield return In(InterfacesExcluded, _site.ProbePort, link) with { Obstacle = obstacle };
        }
    }

    private IEnumerable<Probe> InsidePod()
    {
        IPAddress? own = _site.Own(_family);
        string? obstacle = own is null ? "the pod has no address of this family" : null;
        own ??= LoopbackAddress;
        // From the passthrough's own address no call is a self-call.
        IPAddress caller = own.Equals(PassthroughAddress) ? LoopbackAddress : own;
        foreach (uint uid in _options.ProxyUids)
        {
            Probe call = Inside(SelfCall, Proxy(uid), caller, own);
            yield return call with { Obstacle = obstacle ?? (call.Port is null ? $"the plan leaves {call.Destination} alone; another --iptables-probe-port may do" : null) };
        }

        // The passthrough's IPv6 address is on no interface unless TPROXY routes put it there.
        if (_family == AddressFamily.InterNetwork)
        {
            yield return Inside(Passthrough, Proxy(_options.ProxyUids[0]), PassthroughAddress, own);
        }

        yield return Inside(Loopback, _site.Application, LoopbackAddress, LoopbackAddress);
        yield return Inside(Loopback, _site.Application, caller, own) with { Obstacle = obstacle };
    }

    private IEnumerable<Probe> NameResolution()
    {
        Probe udp = From(DnsLeftAlone, _site.Application, Outside, DnsPort, Transports.Udp);
        Probe tcp = From(DnsLeftAlone, _site.Application, Outside, DnsPort);
        if (udp.Port is null)
        {
            yield return udp;
            yield break;
        }

        yield return udp with { Promise = DnsOverUdp };
        yield return tcp with { Promise = tcp.Port is null ? DnsLeftAlone : DnsOverTcp };
    }

    private IEnumerable<Probe> Inbound()
    {
        List<int> ports =
        [
            _site.ProbePort, _options.TunnelPort, .. ProbeAddresses.Ends(_options.InboundPorts.Ports),
            .. ProbeAddresses.Sample(ProbeAddresses.Ends(_options.InboundExcludedPorts)),
        ];
        foreach (int port in ports.Distinct())
        {
            Probe probe = In(InboundCaptured, port);
            yield return probe.Port is null ? probe with { Promise = InboundLeftAlone } : probe;
        }
    }

    private IEnumerable<(IPNetwork Block, IPAddress? Address)> Representatives(IReadOnlyList<IPNetwork> blocks) =>
        ProbeAddresses.Sample([.. blocks.Where(b => b.BaseAddress.AddressFamily == _family)])
            .Select(b => (b, ProbeAddresses.Inside(b, _site.Addresses)));

    private Probe From(string promise, Identity sender, IPAddress destination, int port, Transports transport = Transports.Tcp, ProbeLink? link = null)
    {
        if (IPAddress.IsLoopback(destination))
        {
            return Make(promise, sender, LoopbackAddress, destination, port, transport, null);
        }

        link ??= ProbeLink.Ordinary;
        return Make(promise, sender, link.Address(_family), destination, port, transport, link);
    }

    private Probe Inside(string promise, Identity sender, IPAddress source, IPAddress destination) =>
        Make(promise, sender, source, destination, promise == SelfCall ? _site.ProbePort : _site.ApplicationPort, Transports.Tcp, null);

    private Probe Make(string promise, Identity sender, IPAddress source, IPAddress destination, int port, Transports transport, ProbeLink? link) =>
        Decided(promise, link, new Packet
        {
            Inbound = false,
            Interface = link?.Near ?? "lo",
            Transport = transport,
            Source = source,
            Destination = destination,
            DestinationPort = port,
            Uid = sender.Uid,
            Gid = sender.Gid,
        });

    private Probe In(string promise, int port, ProbeLink? link = null)
    {
        link ??= ProbeLink.Ordinary;
        return Decided(promise, link, new Packet
        {
            Inbound = true,
            Interface = link.Near,
            Transport = Transports.Tcp,
            Source = Outside,
            Destination = link.Address(_family),
            DestinationPort = port,
        });
    }

    private Probe Decided(string promise, ProbeLink? link, Packet packet) => new(promise, packet, link, PortOf(_plan, packet));
}

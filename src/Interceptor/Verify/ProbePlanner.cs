using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using static MeshL4.Interceptor.Verify.Promises;

namespace MeshL4.Interceptor.Verify;

/// <summary>Options and plan to the packets that show whether the kernel keeps them. Pure: which packets is chosen here, where each
/// must arrive is only what the plan decides for it.</summary>
internal sealed class ProbePlanner
{
    /// <summary>The addresses from which the proxy hands inbound connections to the application.</summary>
    public static readonly IPAddress PassthroughAddress = IPAddress.Parse("127.0.0.6"), Ipv6PassthroughAddress = IPAddress.Parse("::6");

    private const int DnsPort = 53;

    // Each takes a process.
    private const int MostIdentities = 8;
    private static readonly int[] OrdinaryPorts = [80, 8080, 9000, 7000];

    private readonly RedirectOptions _options;
    private readonly RedirectPlan _plan;
    private readonly ProbeSite _site;
    private readonly AddressFamily _family;

    private ProbePlanner(RedirectOptions options, RedirectPlan plan, ProbeSite site, AddressFamily family)
    {
        _options = options;
        _plan = plan;
        _site = site;
        _family = family;
    }

    private int OrdinaryPort => OrdinaryPorts.FirstOrDefault(p => !_options.OutboundExcludedPorts.Contains(p), OrdinaryPorts[0]);

    // Not the pod's, and not the one that packets come from.
    private IPAddress Elsewhere => new ProbeLink(ProbeLink.Most, "").Address(_family);

    private IPAddress Outside => ProbeLink.Outside(_family);

    private IPAddress LoopbackAddress => _family == AddressFamily.InterNetwork ? IPAddress.Loopback : IPAddress.IPv6Loopback;

    /// <summary>Every packet to send, IPv4 first.</summary>
    public static IReadOnlyList<Probe> Of(RedirectOptions options, RedirectPlan plan, ProbeSite site) =>
    [
        .. new ProbePlanner(options, plan, site, AddressFamily.InterNetwork).All(),
        .. new ProbePlanner(options, plan, site, AddressFamily.InterNetworkV6).All(),
    ];

    /// <summary>The proxy's port to which <paramref name="plan"/> sends <paramref name="packet"/>; null when it leaves it alone.</summary>
    internal static int? PortOf(RedirectPlan plan, Packet packet) => plan.Decide(packet)?.Verdict.Port;

    private IEnumerable<Probe> All() => _family == AddressFamily.InterNetworkV6 && !_options.WithIpv6
        ? [From(Ipv6LeftAlone, _site.Application, Outside, OrdinaryPort), In(Ipv6LeftAlone, _site.ProbePort)]
        :
        [
            .. Wanted(), .. Proxy(), .. ExcludedPorts(), .. ExcludedBlocks(), .. Groups(), .. Users(), .. Links(),
            .. InsidePod(), .. NameResolution(), .. Datagrams(), .. Inbound(), .. Invalid(),
        ];

    // Asked for and yet excluded is possible; which of the two it is, the plan says.
    private IEnumerable<Probe> Wanted()
    {
        var targets = new List<IPEndPoint> { new(Outside, OrdinaryPort) };
        targets.AddRange(ProbeAddresses.Sample(ProbeAddresses.Ends(_options.OutboundPorts)).Select(p => new IPEndPoint(Outside, p)));
        targets.AddRange(Representatives(_options.OutboundBlocks.Blocks).Where(r => r.Address is not null)
            .Select(r => new IPEndPoint(r.Address!, OrdinaryPort)));
        foreach (IPEndPoint target in targets.Distinct())
        {
            Probe probe = From(OutboundCaptured, _site.Application, target.Address, target.Port);
            yield return probe.Port is null ? probe with { Promise = OutboundNotAskedFor } : probe;
        }
    }

    // Each id by itself, the other one a stranger's: a rule for the user must not hide that the one for the group is gone.
    private IEnumerable<Probe> Proxy() => ProxyIdentities().SelectMany(id => new[]
    {
        From(ProxyNotLooped, id, Outside, OrdinaryPort),
        From(ProxyNotLooped, id, Outside, DnsPort, Transports.Udp),
    });

    private IEnumerable<Identity> ProxyIdentities() =>
        [.. ProbeAddresses.Sample(_options.ProxyUids, MostIdentities).Select(uid => new Identity(uid, _site.Application.Gid)), .. ProxyGroups()];

    private IEnumerable<Identity> ProxyGroups() =>
        ProbeAddresses.Sample(_options.ProxyGids, MostIdentities).Select(gid => new Identity(_site.Application.Uid, gid));

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

    private IEnumerable<Probe> Groups()
    {
        List<uint> groups = [.. _options.ExcludedOwnerGroups];
        if (_options.OwnerGroups is not null)
        {
            groups.Add(ProbeSite.StrangerGroup(_options));
        }

        foreach (uint gid in ProbeAddresses.Sample(groups, MostIdentities))
        {
            yield return From(GroupsLeftAlone, _site.Application with { Gid = gid }, Outside, OrdinaryPort);
        }

        foreach (uint gid in ProbeAddresses.Sample(_options.OwnerGroups ?? [], MostIdentities))
        {
            Probe probe = From(GroupsCaptured, _site.Application with { Gid = gid }, Outside, OrdinaryPort);
            yield return probe.Port is null ? probe with { Promise = OutboundNotAskedFor } : probe;
        }
    }

    // First and last user of each, and a stranger: what is left alone for everybody is as wrong as what is left alone for nobody.
    private IEnumerable<Probe> Users()
    {
        (UserPortExclusion Exclusion, uint User)[] excluded =
            [.. _options.UserExclusions.SelectMany(e => new[] { e.Users[0].First, e.Users[^1].Last }.Distinct().Select(u => (e, u)))];
        foreach ((UserPortExclusion exclusion, uint user) in ProbeAddresses.Sample(excluded, MostIdentities))
        {
            int port = exclusion.Ports is { } ports ? ports.Ranges[0].First : OrdinaryPort;
            foreach (Transports transport in new[] { Transports.Tcp, Transports.Udp }.Where(t => exclusion.Transports.HasFlag(t)))
            {
                yield return From(UsersExcluded, _site.Application with { Uid = user }, Outside, port, transport);
                Probe other = From(OtherUsersCaptured, _site.Application, Outside, port, transport);
                if (other.Port is not null)
                {
                    yield return other;
                }
            }
        }
    }

    private IEnumerable<Probe> Links()
    {
        // Two pairs of one name cannot be made, and an interface may be named twice: as excluded, and as a virtual machine's.
        var pairs = new Dictionary<string, ProbeLink> { [ProbeLink.Ordinary.Near] = ProbeLink.Ordinary };
        foreach (string name in _options.ExcludedInterfaces)
        {
            (ProbeLink link, string? obstacle) = Stand(name, pairs);
            yield return ByExcluded(From(InterfacesExcluded, _site.Application, Outside, OrdinaryPort, link: link), obstacle);
            yield return ByExcluded(In(InterfacesExcluded, _site.ProbePort, link), obstacle);
        }

        foreach (string name in _options.VirtualInterfaces)
        {
            (ProbeLink link, string? obstacle) = Stand(name, pairs);
            Probe probe = In(VirtualCaptured, OrdinaryPort, link, destination: Elsewhere);
            yield return probe with { Obstacle = obstacle, Promise = probe.Port is null ? OutboundNotAskedFor : probe.Promise };
        }
    }

    // Where the rules take it after all, nobody must read that it was left alone.
    private static Probe ByExcluded(Probe probe, string? obstacle) => probe with
    {
        Obstacle = obstacle ?? (probe.Port is null ? null : $"{probe.Packet.Interface} is named by --kube-virt-interfaces too, which goes first"),
    };

    // A pair in the place of an interface that the options name.
    private (ProbeLink Link, string? Obstacle) Stand(string name, Dictionary<string, ProbeLink> pairs)
    {
        const int longest = 15;
        // However long the prefix is, the whole of it: otherwise the name would not be one of the pattern's.
        string near = name.EndsWith('+') ? $"{name[..^1]}ml4"[..Math.Min(name.Length + 2, longest)] : name;
        if (!pairs.TryGetValue(near, out ProbeLink? link))
        {
            link = new ProbeLink(Math.Min(pairs.Count, ProbeLink.Most - 1), near);
            if (pairs.Count >= ProbeLink.Most)
            {
                return (link, $"more than {ProbeLink.Most - 1} interfaces are named");
            }

            pairs.Add(near, link);
        }

        return (link, _site.Interfaces.Contains(near) ? $"{near} is there already, and a packet would leave the pod by it" : null);
    }

    private IEnumerable<Probe> InsidePod()
    {
        IPAddress? own = _site.Own(_family);
        string? obstacle = own is null ? "the pod has no address of this family" : null;
        own ??= LoopbackAddress;
        // From the passthrough's own address no call is a self-call.
        IPAddress caller = own.Equals(PassthroughAddress) ? LoopbackAddress : own;
        foreach (Identity proxy in ProbeAddresses.Sample(_options.ProxyUids, MostIdentities).Select(Proxy).Concat(ProxyGroups()))
        {
            // Those of a group alone get as far as its rules in some plans only.
            Probe call = Inside(SelfCall, proxy, caller, own);
            bool portExcluded = _options.OutboundExcludedPorts.Contains(_site.ProbePort);
            if (call.Port is not null || portExcluded)
            {
                yield return call with { Obstacle = obstacle ?? (portExcluded ? $"port {_site.ProbePort} is excluded; another --iptables-probe-port will do" : null) };
            }
        }

        if (_family == AddressFamily.InterNetwork || _plan.Routing.Passthrough)
        {
            IPAddress passthrough = _family == AddressFamily.InterNetwork ? PassthroughAddress : Ipv6PassthroughAddress;
            yield return Inside(Passthrough, Proxy(_options.ProxyUids[0]), passthrough, own) with { Obstacle = obstacle };
        }

        foreach (IPAddress here in LoopbackAddresses())
        {
            // What is outside the block that counts as loopback is the pod's own service to the rules.
            Probe probe = Inside(ProxyToLoopback, Proxy(_options.ProxyUids[0]), LoopbackAddress, here);
            yield return probe.Port is null ? probe : probe with { Promise = SelfCall };
        }

        yield return Inside(Loopback, _site.Application, LoopbackAddress, LoopbackAddress);
        yield return Inside(Loopback, _site.Application, caller, own) with { Obstacle = obstacle };
    }

    // And another one of the block that counts as loopback.
    private IEnumerable<IPAddress> LoopbackAddresses() => _family == AddressFamily.InterNetworkV6 ? [LoopbackAddress] : new[]
    {
        LoopbackAddress, ProbeAddresses.Inside(_options.LoopbackBlock, new HashSet<IPAddress> { LoopbackAddress }) ?? LoopbackAddress,
    }.Distinct();

    private IEnumerable<Probe> NameResolution()
    {
        IEnumerable<IPAddress> servers = _options.Dns == DnsCapture.Servers ? _options.DnsServers.Where(a => a.AddressFamily == _family) : [];
        foreach (IPAddress server in ProbeAddresses.Sample([.. servers, Outside]).Distinct())
        {
            Probe udp = From(DnsLeftAlone, _site.Application, server, DnsPort, Transports.Udp);
            Probe tcp = From(DnsOverTcp, _site.Application, server, DnsPort);
            yield return udp.Port is null ? udp : udp with { Promise = DnsOverUdp };
            // Over TCP it may be captured as any connection is.
            if (tcp.Port == _options.DnsPort)
            {
                yield return tcp;
            }
        }
    }

    private IEnumerable<Probe> Datagrams()
    {
        if (_options.UdpPorts is { All: false, Ports.IsEmpty: true })
        {
            yield break;
        }

        int[] ports = [OrdinaryPort, .. ProbeAddresses.Sample(ProbeAddresses.Ends(_options.UdpPorts.Ports))];
        // Into the pod only those that are named for TCP too, or where that is all, not excluded there.
        int[] inbound = [.. ports, .. new[] { _options.InboundPorts.Ports, _options.InboundExcludedPorts }.SelectMany(p => ProbeAddresses.Sample(ProbeAddresses.Ends(p)))];
        foreach (Probe probe in ports.Distinct().Select(p => From(UdpCaptured, _site.Application, Outside, p, Transports.Udp))
            .Concat(inbound.Distinct().Select(p => In(UdpCaptured, p, transport: Transports.Udp))))
        {
            yield return probe.Port is null ? probe with { Promise = UdpLeftAlone } : probe;
        }
    }

    private IEnumerable<Probe> Inbound()
    {
        List<int> ports =
        [
            _site.ProbePort, _options.TunnelPort, .. ProbeAddresses.Sample(ProbeAddresses.Ends(_options.InboundPorts.Ports)),
            .. ProbeAddresses.Sample(ProbeAddresses.Ends(_options.InboundExcludedPorts)),
        ];
        foreach (int port in ports.Distinct())
        {
            Probe probe = In(InboundCaptured, port);
            yield return probe.Port is null ? probe with { Promise = InboundLeftAlone } : probe;
        }

        foreach ((IPNetwork block, IPAddress? source) in Representatives(_options.InboundExcludedSources))
        {
            yield return In(SourcesExcluded, _site.ProbePort, source: source) with
            {
                Obstacle = source is null ? $"{block} has no address that a packet can come from" : null,
            };
        }
    }

    private IEnumerable<Probe> Invalid()
    {
        if (_options.DropInvalid)
        {
            Packet packet = In(InvalidDropped, _site.ProbePort).Packet with { State = ConnectionState.Invalid };
            bool dropped = _plan.Decide(packet).Verdict.Kind == VerdictKind.Drop;
            yield return new(InvalidDropped, packet, ProbeLink.Ordinary, null)
            {
                Dropped = true,
                Obstacle = dropped ? null : $"the rules leave {packet.Interface} alone, by which probes come",
            };
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

    private Probe In(string promise, int port, ProbeLink? link = null, Transports transport = Transports.Tcp, IPAddress? source = null, IPAddress? destination = null)
    {
        link ??= ProbeLink.Ordinary;
        return Decided(promise, link, new Packet
        {
            Inbound = true,
            Interface = link.Near,
            Transport = transport,
            Source = source ?? Outside,
            Destination = destination ?? link.Address(_family),
            DestinationPort = port,
        });
    }

    private Probe Decided(string promise, ProbeLink? link, Packet packet) => new(promise, packet, link, PortOf(_plan, packet));
}

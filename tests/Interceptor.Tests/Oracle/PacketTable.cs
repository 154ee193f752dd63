using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.TestKit.Laboratory;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>Who opens the socket of an outbound packet.</summary>
internal sealed record PacketOwner(string Label, uint Uid, uint Gid);

/// <summary>A kind of packet: everything but owner and port.</summary>
/// <param name="Label">How tables call it: direction, transport, interface (inbound), addresses.</param>
/// <param name="Probe">With any owner and port.</param>
/// <param name="Interface">Interface it comes in by, or leaves by.</param>
/// <param name="Source">Source address that it has on its way.</param>
internal sealed record PacketRow(string Label, Probe Probe, string Interface, IPAddress Source)
{
    /// <summary>The owners that make a difference: only a packet of the pod has one.</summary>
    public IReadOnlyList<PacketOwner> Owners => Probe.From == Origin.Pod ? PacketTable.Owners : PacketTable.Anybody;
}

/// <summary>The packets that every rule set of the oracle is asked about: each row with each of its owners and each port.</summary>
internal static class PacketTable
{
    /// <summary>DNS, included and excluded in the cases, the tunnel's, and one that no case names.</summary>
    public static readonly int[] Ports = [53, 80, 4000, 6000, 15008, 32000];

    /// <summary>Ids of every case; groups that the cases call java and ftp are 9001 and 9002.</summary>
    public static readonly IReadOnlyList<PacketOwner> Owners =
    [
        new("app", 1000, 1000), new("u1337", 1337, 1000), new("g1337", 1000, 1337), new("u3", 3, 1000), new("u4", 4, 1000), new("g1", 1000, 1),
        new("g2", 1000, 2), new("g202", 1000, 202), new("java", 1000, 9001), new("g888", 1000, 888), new("ftp", 1000, 9002),
    ];

    /// <summary>The one owner of packets that do not come from the pod.</summary>
    public static readonly IReadOnlyList<PacketOwner> Anybody = [Owners[0]];

    private static readonly string[] Destinations =
    [
        "127.0.0.1", "127.0.0.53", "127.1.2.3", "10.77.0.2", "1.1.1.1", "9.9.9.9", "10.1.2.3", "203.0.113.9", "198.51.100.1",
        "::1", "fd77::2", "2001:db8::1", "::127.0.0.53", "3fff:1::1", "3fff:78::1",
    ];

    private static readonly (string From, string To)[] Passthrough = [("127.0.0.6", "127.0.0.1"), ("127.0.0.6", "10.77.0.2"), ("::6", "fd77::2")];

    private static readonly string[] Foreign = ["1.1.1.1", "9.9.9.9", "10.1.2.3", "203.0.113.9", "2001:db8::1", "3fff:1::1"];

    private static readonly string[] Loopback = ["127.0.0.1", "127.0.0.53", "127.1.2.3"];

    private static readonly Transports[] Both = [Transports.Tcp, Transports.Udp];

    /// <summary>Every row, outbound first, and last what no honest host sends.</summary>
    public static IReadOnlyList<PacketRow> Rows { get; } =
    [
        .. from transport in Both from row in Outbound(transport).Concat(Inbound(transport)) select row,
        .. from transport in Both from row in ToLoopback(transport) select row,
    ];

    /// <summary>The packets of one row, owners outermost.</summary>
    public static IEnumerable<Probe> Probes(PacketRow row) =>
        from owner in row.Owners from port in Ports select row.Probe with { Uid = owner.Uid, Gid = owner.Gid, Port = port };

    private static IEnumerable<PacketRow> Outbound(Transports transport)
    {
        string start = $"out {transport.ToString().ToLowerInvariant()}";
        return
        [
            .. from to in Destinations.Select(IPAddress.Parse)
               let through = Leaves(to)
               select new PacketRow($"{start} {to}", new Probe(Origin.Pod, transport, to, 0), through, through == "lo" ? to : Own(through, to)),
            .. from pair in Passthrough.Select(p => (From: IPAddress.Parse(p.From), To: IPAddress.Parse(p.To)))
               select new PacketRow($"{start} {pair.From}>{pair.To}", new Probe(Origin.Pod, transport, pair.To, 0, pair.From), "lo", pair.From),
        ];
    }

    private static IEnumerable<PacketRow> Inbound(Transports transport)
    {
        IReadOnlyList<IPAddress> pod = PacketLaboratory.OfPod;
        (Origin From, string Interface, string V4, string V6, IEnumerable<IPAddress> To)[] ways =
        [
            (Origin.Outside, "eth0", "10.77.0.1", "fd77::1", pod.Take(2)),
            (Origin.SideNetwork, PacketLaboratory.SideInterface, "10.78.0.1", "fd78::1", pod.Skip(2).Take(2)),
            (Origin.VirtualMachine, PacketLaboratory.VirtualInterface, "10.81.0.2", "fd81::2", pod.Skip(4).Concat(Foreign.Select(IPAddress.Parse))),
        ];
        return from way in ways
               from to in way.To
               select new PacketRow($"in {transport.ToString().ToLowerInvariant()} {way.Interface} {to}", new Probe(way.From, transport, to, 0), way.Interface,
                   IPAddress.Parse(IsV4(to) ? way.V4 : way.V6));
    }

    // Of IPv6 there is no such row: the kernel drops what comes to ::1 by any other interface than lo before any rule sees it.
    private static IEnumerable<PacketRow> ToLoopback(Transports transport) => Loopback.Select(IPAddress.Parse).Select(to =>
        new PacketRow($"in {transport.ToString().ToLowerInvariant()} eth0 {to}", new Probe(Origin.Neighbour, transport, to, 0), "eth0", IPAddress.Parse("10.77.0.1")));

    private static string Leaves(IPAddress to) => IPAddress.IsLoopback(to) || PacketLaboratory.OfPod.Contains(to) ? "lo"
        : PacketLaboratory.ViaSideNetwork.Contains(to) ? PacketLaboratory.SideInterface
        : "eth0";

    private static IPAddress Own(string through, IPAddress to) => PacketLaboratory.OfPod[(through == "eth0" ? 0 : 2) + (IsV4(to) ? 0 : 1)];

    private static bool IsV4(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork;
}

using System.Globalization;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;

namespace MeshL4.Interceptor.Verify;

/// <summary>The pairs, with addresses and routes that only probes meet: traffic from the pairs' addresses, and to our own peer, is led
/// to them by routing rules of their own, and the pod's tables stay as they are. All of it is gone after <see cref="Dispose"/>.</summary>
internal sealed class ProbeNetwork : IDisposable
{
    // After the rules for each pair's own address.
    private const int PeerPreference = 31310;

    // A rule that has marked a packet decides its way (TPROXY's do): ours look at packets without a mark only.
    private const string Unmarked = "fwmark 0/0xffffffff";

    private readonly CommandRunner _runner;
    private readonly IReadOnlyList<ProbeLink> _links;
    private readonly bool _withIpv6;

    private ProbeNetwork(CommandRunner runner, IReadOnlyList<ProbeLink> links, bool withIpv6)
    {
        _runner = runner;
        _links = links;
        _withIpv6 = withIpv6;
    }

    /// <summary>Why the pairs carry IPv4 only, or null.</summary>
    public string? Ipv6Obstacle { get; private set; }

    /// <summary>Removes what a killed verification left, if it left an interface.</summary>
    public static void RemoveLeftOvers(CommandRunner runner)
    {
        // Not before looking: the program costs more than a look, and left-overs are rare.
        if (NetworkInterface.GetAllNetworkInterfaces().Any(i => i.Name.StartsWith(ProbeLink.FarPrefix, StringComparison.Ordinal)) && runner.Exists("ip"))
        {
            new ProbeNetwork(runner, [], true).Remove(all: true);
        }
    }

    /// <summary>Makes the pairs, after removing rules that a killed verification left.</summary>
    /// <returns>Null with the reason in <paramref name="obstacle"/> when they cannot be made; nothing is left then.</returns>
    public static ProbeNetwork? Create(CommandRunner runner, IReadOnlyList<ProbeLink> links, bool withIpv6, out string? obstacle)
    {
        if (!runner.Exists("ip"))
        {
            obstacle = "the ip program (iproute2) is not installed";
            return null;
        }

        var network = new ProbeNetwork(runner, links, withIpv6);
        obstacle = network.Make();
        if ((obstacle ?? network.Ipv6Obstacle) is not null)
        {
            network.Remove(all: true);
            obstacle = network.Make();
        }

        if (obstacle is null)
        {
            // The address from which the proxy hands over is on lo, and may be as new.
            network.Ipv6Obstacle ??= withIpv6 ? Ipv6LocalRoutes.Await([.. links.Select(l => l.Near), "lo"]) : null;
            return network;
        }

        network.Dispose();
        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => Remove(all: false);

    private string? Make()
    {
        string? refused = Run(false, AddressFamily.InterNetwork, [.. _links.SelectMany(MakePair), .. _links.SelectMany(MakeV4), .. ToPeer("add", AddressFamily.InterNetwork)]);
        Ipv6Obstacle = refused is null && _withIpv6
            ? Run(false, AddressFamily.InterNetworkV6, [.. _links.SelectMany(MakeV6), .. ToPeer("add", AddressFamily.InterNetworkV6)])
            : null;
        return refused;
    }

    private void Remove(bool all)
    {
        IEnumerable<ProbeLink> links = all ? Enumerable.Range(0, ProbeLink.Most).Select(i => new ProbeLink(i, "")) : _links;
        // What is not there any more is what we want. Interfaces go last: whoever looks for left-overs looks for them.
        if (_withIpv6)
        {
            _ = Run(true, AddressFamily.InterNetworkV6, Rules("del", links, AddressFamily.InterNetworkV6));
        }

        _ = Run(true, AddressFamily.InterNetwork, [.. Rules("del", links, AddressFamily.InterNetwork), .. links.Select(l => $"link del {l.Far}")]);
    }

    private static IEnumerable<string> MakePair(ProbeLink l) =>
    [
        $"link add {l.Near} address {Hex(l.NearHardware)} type veth peer name {l.Far} address {Hex(l.FarHardware)}",
        // No neighbour discovery: the far end has no address to answer with.
        $"link set {l.Near} addrgenmode none arp off",
        $"link set {l.Far} addrgenmode none arp off",
    ];

    // Of link scope and deprecated: nobody takes such an address as the source of a connection of his own.
    private static IEnumerable<string> MakeV4(ProbeLink l) =>
    [
        $"addr add {l.Address(AddressFamily.InterNetwork)}/32 dev {l.Near} scope link",
        $"link set {l.Far} up",
        $"link set {l.Near} up",
        Text($"route add default dev {l.Near} table {l.Table}"),
        Rule("add", l, AddressFamily.InterNetwork),
    ];

    private static IEnumerable<string> MakeV6(ProbeLink l) =>
    [
        $"addr add {l.Address(AddressFamily.InterNetworkV6)}/128 dev {l.Near} nodad noprefixroute preferred_lft 0",
        Text($"route add ::/0 dev {l.Near} table {l.Table}"),
        Rule("add", l, AddressFamily.InterNetworkV6),
    ];

    private static string Rule(string verb, ProbeLink l, AddressFamily family) =>
        Text($"rule {verb} pref {l.Table} from {l.Address(family)} {Unmarked} lookup {l.Table}");

    // A running proxy that takes a probe for an application's call dials our peer: that must not leave the pod either.
    private static string[] ToPeer(string verb, AddressFamily family) =>
        [Text($"rule {verb} pref {PeerPreference} to {ProbeLink.Outside(family)} {Unmarked} lookup {ProbeLink.Ordinary.Table}")];

    private static IReadOnlyList<string> Rules(string verb, IEnumerable<ProbeLink> links, AddressFamily family) =>
        [.. links.Select(l => Rule(verb, l, family)), .. ToPeer(verb, family)];

    private static string Hex(byte[] hardware) => string.Join(':', hardware.Select(b => b.ToString("x2", CultureInfo.InvariantCulture)));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    // One execution for all lines: starting a program costs more than what it does.
    private string? Run(bool force, AddressFamily family, IReadOnlyList<string> lines)
    {
        string[] arguments = [.. family == AddressFamily.InterNetworkV6 ? ["-6"] : Array.Empty<string>(), .. force ? ["-force"] : Array.Empty<string>(), "-batch", "-"];
        CommandResult result = _runner.Run("ip", arguments, string.Join('\n', lines) + "\n");
        if (result.ExitCode == 0)
        {
            return null;
        }

        string text = result.Error.Trim().Split('\n')[0];
        return text.Contains("not permitted", StringComparison.Ordinal) ? "CAP_NET_ADMIN is missing, no interface can be made for probes" : $"ip: {text}";
    }
}

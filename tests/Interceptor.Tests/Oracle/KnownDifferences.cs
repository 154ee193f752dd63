using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.TestKit.Laboratory;

namespace MeshL4.Interceptor.Tests.Oracle;

/// <summary>One packet that our rules and Istio's treat differently.</summary>
internal sealed record Difference(IstioCase Case, string Backend, PacketRow Row, PacketOwner Owner, int Port, char Ours, char Theirs)
{
    public bool IsV6 => Row.Probe.Destination.AddressFamily == AddressFamily.InterNetworkV6;
}

/// <summary>A defect of Istio's rules that ours do not have, or a choice that we made otherwise.</summary>
/// <param name="Name">Short name, as the documents call it.</param>
/// <param name="Reason">What Istio's rules do, and why ours do not.</param>
/// <param name="Explains">Is this packet's difference of this kind? As narrow as can be.</param>
internal sealed record KnownDifference(string Name, string Reason, Func<Difference, bool> Explains);

/// <summary>Every way in which our verdicts are not Istio's. What is not listed fails, and so does what is listed and does not occur.</summary>
internal static class KnownDifferences
{
    /// <summary>The list.</summary>
    public static IReadOnlyList<KnownDifference> All { get; } =
    [
        new("ipv6-off-leaks",
            "The nftables rules sit in a table of family inet and most of them name no family, so with IPv6 off they redirect IPv6 all the same, to a proxy that does not expect it.",
            d => !d.Case.Options.WithIpv6 && d.IsV6 && d.Backend == IstioCase.Nft && d.Ours == '.'),
        new("several-proxy-uids",
            "The rule that leaves the loopback traffic of everybody but the first proxy uid alone comes before the rules of the second uid: its calls to its own pod pass the inbound port by.",
            d => d.Case.Options.ProxyUids.Count > 1 && d.Owner.Label == "u4" && d.Row.Interface == "lo" && d.Theirs == '.' && d.Ours == 'i'),
        new("tproxy-tunnel-port",
            "The rule that lets the tunnel's port by is in the nat table only: under TPROXY tunnelled connections come out at the inbound port, which does not speak their protocol.",
            d => d.Case.Options.Mode == InterceptionMode.Tproxy && d.Port == 15008 && d.Theirs == 'i' && d.Ours == '.'),
        new("loopback-from-outside",
            "A neighbour's packet to loopback is translated before the kernel looks for such packets, and the proxy may call for it what listens there, its admin API among it.",
            d => d.Row.Probe.From == Origin.Neighbour && d.Ours == '.' && d.Theirs is 'i' or 'o'),
        new("loopback-from-outside-tproxy",
            "Under TPROXY it is taken all the same, or let in to 127.0.0.1; where rules of ours mark packets they drop it, whatever route_localnet says.",
            d => d.Row.Probe.From == Origin.Neighbour && d.Case.Options.Mode == InterceptionMode.Tproxy && d.Ours == '-'),
    ];
}

using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Whether IPv6 is redirected where --ipv6 does not say so: as istio-iptables decides it, from the pod's addresses.</summary>
/// <param name="On">It is.</param>
/// <param name="LeftAlone">The pod's addresses of IPv6 when it is not: what comes to them and leaves from them passes the proxy by.</param>
internal sealed record Ipv6Choice(bool On, IReadOnlyList<IPAddress> LeftAlone)
{
    /// <summary>Without dual stack the first address decides that is neither loopback nor link-local; the kernel lists those of IPv4
    /// first. With it, any such address of IPv6 does. Where there is none at all nothing is known, and nothing is let by.</summary>
    /// <param name="addresses">Of every interface.</param>
    /// <param name="dualStack">--dual-stack.</param>
    public static Ipv6Choice Of(IEnumerable<IPAddress> addresses, bool dualStack)
    {
        IPAddress[] own = [.. addresses.Select(a => a.IsIPv4MappedToIPv6 ? a.MapToIPv4() : a).Where(a => !IPAddress.IsLoopback(a) && !IsLinkLocal(a))];
        IPAddress[] ipv6 = [.. own.Where(a => a.AddressFamily == AddressFamily.InterNetworkV6)];
        bool on = dualStack && own.Length > 0 ? ipv6.Length > 0 : ipv6.Length == own.Length;
        return new(on, on ? [] : ipv6);
    }

    private static bool IsLinkLocal(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6
        ? address.IsIPv6LinkLocal
        : address.GetAddressBytes() is [169, 254, ..];
}

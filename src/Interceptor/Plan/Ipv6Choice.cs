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

    /// <summary>Why IPv6 is left alone where it is. Of options alone, so that a rule's comment is the same in every run.</summary>
    public static string Reason(RedirectOptions options) => options switch
    {
        { Ipv6ByAddresses: false } => "IPv6 is switched off in the options",
        { DualStack: true } => "IPv6 is left alone: the pod has no address of it",
        _ => "IPv6 is left alone: the pod's first address is not of it, and dual stack not asked for",
    };

    /// <summary>What was asked for and says nothing since IPv6 is left alone, whoever decided that.</summary>
    public static IEnumerable<string> Unheeded(RedirectOptions options)
    {
        if (options.WithIpv6)
        {
            yield break;
        }

        if (options is { Dns: DnsCapture.Servers, CapturesDns: false })
        {
            yield return "--redirect-dns: every name server is of IPv6, which is left alone, so no query is captured";
        }

        (string Flag, IEnumerable<IPNetwork> Blocks)[] lists = [
            ("--istio-service-cidr", options.OutboundBlocks.Blocks), ("--istio-service-exclude-cidr", options.OutboundExcludedBlocks),
            ("--subnets-to-ignore", options.InboundExcludedSources)];
        foreach ((string flag, IEnumerable<IPNetwork> blocks) in lists)
        {
            IPNetwork[] unheeded = [.. blocks.Where(b => b.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6)];
            if (unheeded.Length > 0)
            {
                yield return $"{flag}: '{unheeded[0]}' is of IPv6, which is left alone, and says nothing";
            }
        }
    }

    private static bool IsLinkLocal(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6
        ? address.IsIPv6LinkLocal
        : address.GetAddressBytes() is [169, 254, ..];
}

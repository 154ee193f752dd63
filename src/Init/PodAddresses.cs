using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;

namespace MeshL4.Init;

/// <summary>The addresses that the pod was given, and what they say of IPv6.</summary>
internal static class PodAddresses
{
    /// <summary>Without IPv6 in the kernel there is nothing to redirect, and ip6tables would fail.</summary>
    public static RedirectOptions WithFamilies(RedirectOptions options, out Ipv6Choice choice)
    {
        choice = !options.Ipv6ByAddresses ? new(options.WithIpv6, [])
            : File.Exists("/proc/net/if_inet6") ? Ipv6Choice.Of(Look(), options.DualStack) : new(false, []);
        return options with { WithIpv6 = choice.On };
    }

    // Without our own: what a run has put there must not have the next one decide otherwise.
    private static IEnumerable<IPAddress> Look()
    {
        IEnumerable<IPAddress> ours = new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 }
            .SelectMany(f => Enumerable.Range(0, ProbeLink.Most).Select(i => new ProbeLink(i, "").Address(f))).Append(ProbePlanner.Ipv6PassthroughAddress);
        return NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address).Except(ours);
    }
}

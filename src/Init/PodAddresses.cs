using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Linux;
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
            : File.Exists("/proc/thread-self/net/if_inet6") ? Ipv6Choice.Of(Look(), options.DualStack) : new(false, []);
        return options with { WithIpv6 = choice.On };
    }

    // Without our own: what a run has put there must not have the next one decide otherwise.
    private static IEnumerable<IPAddress> Look()
    {
        var ours = new HashSet<IPAddress> { ProbePlanner.Ipv6PassthroughAddress };
        for (int number = 0; number < ProbeLink.Most; number++)
        {
            var link = new ProbeLink(number, "");
            ours.Add(link.Address(AddressFamily.InterNetwork));
            ours.Add(link.Address(AddressFamily.InterNetworkV6));
        }

        return InterfaceAddresses.All().Where(a => !ours.Contains(a));
    }
}

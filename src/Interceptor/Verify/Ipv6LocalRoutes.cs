using System.Globalization;
using System.Net;

namespace MeshL4.Interceptor.Verify;

/// <summary>The local routes of IPv6 addresses. The kernel adds an address at once and its route some time later, by a work queue that waits
/// for a lock of the whole machine; until then packets to the address leave the pod.</summary>
internal static class Ipv6LocalRoutes
{
    private const int Looks = 2000;
    private const int MillisecondsBetween = 5;
    private const string HostPrefix = "80";

    // linux/ipv6_route.h.
    private const uint Local = 0x80000000;

    /// <summary>Waits until every address on <paramref name="interfaces"/> has its route.</summary>
    /// <returns>Null, or that one has none after seconds.</returns>
    public static string? Await(IReadOnlyCollection<string> interfaces)
    {
        IPAddress? missing = Missing(interfaces);
        using var pause = new Readiness();
        for (int i = 0; i < Looks && missing is not null; i++)
        {
            pause.Wait(MillisecondsBetween);
            missing = Missing(interfaces);
        }

        return missing is null ? null : $"the kernel has made no local route to {missing}";
    }

    private static IPAddress? Missing(IReadOnlyCollection<string> interfaces)
    {
        string[] wanted = [.. Rows("if_inet6").Where(r => interfaces.Contains(r[^1])).Select(r => r[0])];
        HashSet<string> routed =
        [
            .. Rows("ipv6_route").Where(r => r[1] == HostPrefix && (uint.Parse(r[8], NumberStyles.HexNumber, CultureInfo.InvariantCulture) & Local) != 0).Select(r => r[0]),
        ];
        return Array.Find(wanted, a => !routed.Contains(a)) is string address ? new IPAddress(Convert.FromHexString(address)) : null;
    }

    // if_inet6: address, index, length of the prefix, scope, flags, name. ipv6_route: destination and length, source and length, next hop,
    // metric, two counters, flags, name.
    private static IEnumerable<string[]> Rows(string file) =>
        File.ReadLines($"/proc/thread-self/net/{file}").Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}

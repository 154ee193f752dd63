using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>Representatives of lists: an address out of a block, ports out of a set, a bounded sample of many.</summary>
internal static class ProbeAddresses
{
    /// <summary>More entries of one list than this are sampled: evenly, with the first and the last.</summary>
    public const int SampleSize = 64;

    /// <summary>At most <paramref name="most"/> of <paramref name="all"/>.</summary>
    public static IEnumerable<T> Sample<T>(IReadOnlyList<T> all, int most = SampleSize) => all.Count <= most
        ? all
        : Enumerable.Range(0, most).Select(i => all[(int)((long)i * (all.Count - 1) / (most - 1))]);

    /// <summary>First and last port of every range.</summary>
    public static IReadOnlyList<int> Ends(PortSet ports) => [.. ports.Ranges.SelectMany(r => new[] { r.First, r.Last }).Distinct()];

    /// <summary>An address of <paramref name="block"/> that no interface of the pod has, or null when the block has none that a packet
    /// can be sent to. Our own peer when the block holds it.</summary>
    public static IPAddress? Inside(IPNetwork block, IReadOnlySet<IPAddress> taken)
    {
        IPAddress outside = ProbeLink.Outside(block.BaseAddress.AddressFamily);
        if (block.Contains(outside))
        {
            return outside;
        }

        // Not the first address of a large block: it is a router's or the block's own name.
        const int attempts = 4;
        return Enumerable.Range(0, attempts).Select(i => Plus(block.BaseAddress, (i + 1) % attempts))
            .FirstOrDefault(a => block.Contains(a) && !taken.Contains(a) && CanBeSentTo(a));
    }

    private static bool CanBeSentTo(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
        {
            return !address.IsIPv6Multicast && !address.IsIPv6LinkLocal && !address.IsIPv4MappedToIPv6 && !address.Equals(IPAddress.IPv6Any)
                && (!IPAddress.IsLoopback(address) || address.Equals(IPAddress.IPv6Loopback));
        }

        byte first = address.GetAddressBytes()[0];
        return first is > 0 and < 224;
    }

    private static IPAddress Plus(IPAddress address, int offset)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int i = bytes.Length - 1; i >= 0 && offset > 0; i--)
        {
            int sum = bytes[i] + offset;
            bytes[i] = (byte)sum;
            offset = sum >> 8;
        }

        return new IPAddress(bytes);
    }
}

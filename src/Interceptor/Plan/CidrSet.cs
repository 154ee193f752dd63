using System.Net;
using System.Net.Sockets;

namespace MeshL4.Interceptor.Plan;

/// <summary>Address blocks of one family, sorted, without blocks that lie inside another and with halves joined: equal sets print
/// equally.</summary>
internal sealed class CidrSet
{
    private CidrSet(AddressFamily family, IReadOnlyList<IPNetwork> blocks)
    {
        Family = family;
        Blocks = blocks;
    }

    /// <summary>The family of every block.</summary>
    public AddressFamily Family { get; }

    /// <summary>Ascending and disjoint.</summary>
    public IReadOnlyList<IPNetwork> Blocks { get; }

    /// <summary>No block at all.</summary>
    public bool IsEmpty => Blocks.Count == 0;

    /// <summary>The blocks of <paramref name="blocks"/> that are of <paramref name="family"/>.</summary>
    public static CidrSet Of(AddressFamily family, IEnumerable<IPNetwork> blocks)
    {
        var kept = new List<IPNetwork>();
        IOrderedEnumerable<IPNetwork> sorted = blocks.Where(b => b.BaseAddress.AddressFamily == family)
            .OrderBy(b => Key(b.BaseAddress)).ThenBy(b => b.PrefixLength);
        foreach (IPNetwork block in sorted)
        {
            if (kept.Count == 0 || !kept[^1].Contains(block.BaseAddress))
            {
                kept.Add(block);
                JoinHalves(kept);
            }
        }

        return new CidrSet(family, kept);
    }

    /// <summary>A set of one block, given as "10.0.0.0/8" or "::1/128".</summary>
    public static CidrSet Single(string block)
    {
        IPNetwork parsed = IPNetwork.Parse(block);
        return new CidrSet(parsed.BaseAddress.AddressFamily, [parsed]);
    }

    /// <summary>Is <paramref name="address"/> in a block?</summary>
    public bool Contains(IPAddress address) => address.AddressFamily == Family && Blocks.Any(b => b.Contains(address));

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", Blocks);

    // Two halves of one block become that block, and the result may be the second half of a larger one.
    private static void JoinHalves(List<IPNetwork> kept)
    {
        while (kept.Count > 1 && kept[^1].PrefixLength > 0 && kept[^1].PrefixLength == kept[^2].PrefixLength)
        {
            int prefix = kept[^1].PrefixLength - 1;
            UInt128 parent = Key(kept[^2].BaseAddress);
            int host = (kept[^1].BaseAddress.AddressFamily == AddressFamily.InterNetwork ? 32 : 128) - prefix;
            UInt128 mask = host == 128 ? 0 : ~((UInt128.One << host) - 1);
            if ((parent & mask) != parent || (Key(kept[^1].BaseAddress) & mask) != parent)
            {
                return;
            }

            IPAddress start = kept[^2].BaseAddress;
            kept.RemoveRange(kept.Count - 2, 2);
            kept.Add(new IPNetwork(start, prefix));
        }
    }

    /// <summary>The address as a number, most significant byte first.</summary>
    internal static UInt128 Key(IPAddress address)
    {
        UInt128 key = 0;
        foreach (byte b in address.GetAddressBytes())
        {
            key = (key << 8) | b;
        }

        return key;
    }
}

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
        var given = new List<AddressBlock>();
        foreach (IPNetwork block in blocks)
        {
            if (block.BaseAddress.AddressFamily == family)
            {
                given.Add(new(block.BaseAddress.GetAddressBytes(), block.PrefixLength));
            }
        }

        given.Sort(static (a, b) => a.CompareTo(b));
        var kept = new List<AddressBlock>();
        foreach (AddressBlock block in given)
        {
            if (kept.Count == 0 || !kept[^1].Contains(block))
            {
                kept.Add(block);
                JoinHalves(kept);
            }
        }

        return new CidrSet(family, kept.ConvertAll(static b => new IPNetwork(new IPAddress(b.Start), b.PrefixLength)));
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
    private static void JoinHalves(List<AddressBlock> kept)
    {
        while (kept.Count > 1 && kept[^2].IsFirstHalfBefore(kept[^1]))
        {
            AddressBlock first = kept[^2];
            kept.RemoveRange(kept.Count - 2, 2);
            kept.Add(new(first.Start, first.PrefixLength - 1));
        }
    }
}

using System.Net;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>An inclusive range of addresses, by their bytes, as nft lists it: an address, a block, or first-last. nft joins neighbours that
/// are no halves of one block, so a listing can only be compared with text that joined them too.</summary>
internal readonly record struct AddressRange(byte[] First, byte[] Last)
{
    /// <summary>The blocks with neighbours joined.</summary>
    public static IReadOnlyList<AddressRange> Join(CidrSet blocks)
    {
        var joined = new List<AddressRange>();
        foreach (IPNetwork block in blocks.Blocks)
        {
            AddressRange next = Of(block);
            if (joined.Count > 0 && joined[^1].IsRightBefore(next))
            {
                joined[^1] = joined[^1] with { Last = next.Last };
            }
            else
            {
                joined.Add(next);
            }
        }

        return joined;
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        int bits = First.Length * 8;
        int prefix = 0;
        while (prefix < bits && Bit(First, prefix) == Bit(Last, prefix))
        {
            prefix++;
        }

        if (prefix == bits)
        {
            return new IPAddress(First).ToString();
        }

        bool isBlock = true;
        for (int at = prefix; at < bits; at++)
        {
            isBlock &= !Bit(First, at) && Bit(Last, at);
        }

        return isBlock ? $"{new IPAddress(First)}/{prefix}" : $"{new IPAddress(First)}-{new IPAddress(Last)}";
    }

    private static AddressRange Of(IPNetwork block)
    {
        byte[] first = block.BaseAddress.GetAddressBytes();
        byte[] last = [.. first];
        for (int at = block.PrefixLength; at < last.Length * 8; at++)
        {
            last[at / 8] |= (byte)(0x80 >> (at % 8));
        }

        return new(first, last);
    }

    // The first address after ours: its last bytes of 255 become zero, and the byte before them one more.
    private bool IsRightBefore(AddressRange next)
    {
        int at = Last.Length - 1;
        while (at >= 0 && Last[at] == byte.MaxValue)
        {
            if (next.First[at--] != 0)
            {
                return false;
            }
        }

        return at >= 0 && next.First[at] == Last[at] + 1 && Last.AsSpan(0, at).SequenceEqual(next.First.AsSpan(0, at));
    }

    private static bool Bit(byte[] address, int at) => (address[at / 8] & (0x80 >> (at % 8))) != 0;
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Render;

/// <summary>An inclusive range of addresses as nft lists it: an address, a block, or first-last. nft joins neighbours that are no
/// halves of one block, so a listing can only be compared with text that joined them too.</summary>
internal readonly record struct AddressRange(AddressFamily Family, UInt128 First, UInt128 Last)
{
    private int Bits => Family == AddressFamily.InterNetwork ? 32 : 128;

    /// <summary>The blocks with neighbours joined.</summary>
    public static IReadOnlyList<AddressRange> Join(CidrSet blocks)
    {
        var joined = new List<AddressRange>();
        foreach (IPNetwork block in blocks.Blocks)
        {
            AddressRange next = Of(block);
            if (joined.Count > 0 && joined[^1].Last + 1 == next.First)
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
        UInt128 size = Last - First + 1;
        if (size == 1)
        {
            return Address(First);
        }

        bool isBlock = UInt128.IsPow2(size) && (First & (size - 1)) == 0;
        return isBlock ? $"{Address(First)}/{Bits - (int)UInt128.Log2(size)}" : $"{Address(First)}-{Address(Last)}";
    }

    private static AddressRange Of(IPNetwork block)
    {
        AddressFamily family = block.BaseAddress.AddressFamily;
        UInt128 first = CidrSet.Key(block.BaseAddress);
        int host = (family == AddressFamily.InterNetwork ? 32 : 128) - block.PrefixLength;
        return new(family, first, first + (host == 128 ? UInt128.MaxValue : (UInt128.One << host) - 1));
    }

    private string Address(UInt128 key)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, key);
        return new IPAddress(Family == AddressFamily.InterNetwork ? bytes[12..] : bytes).ToString();
    }
}

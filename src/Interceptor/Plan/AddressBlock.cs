namespace MeshL4.Interceptor.Plan;

/// <summary>A block of addresses by its first address's bytes, most significant first, of which those behind the prefix are zero. Bytes, not
/// numbers of 128 bits: code over those is not compiled ahead of time, and a start would wait for it.</summary>
internal readonly record struct AddressBlock(byte[] Start, int PrefixLength)
{
    /// <summary>Ascending, and a block before those within it.</summary>
    public int CompareTo(AddressBlock other)
    {
        int order = Start.AsSpan().SequenceCompareTo(other.Start);
        return order != 0 ? order : PrefixLength.CompareTo(other.PrefixLength);
    }

    /// <summary>Does every address of <paramref name="other"/>, which is of the same family, lie in this one?</summary>
    public bool Contains(AddressBlock other) => PrefixLength <= other.PrefixLength && SameBits(other.Start) >= PrefixLength;

    /// <summary>Are this and <paramref name="next"/> the halves of one block, in this order?</summary>
    public bool IsFirstHalfBefore(AddressBlock next) =>
        PrefixLength > 0 && PrefixLength == next.PrefixLength && SameBits(next.Start) == PrefixLength - 1 && Start.AsSpan().SequenceCompareTo(next.Start) < 0;

    /// <summary>How many bits from the first the address shares with another.</summary>
    private int SameBits(byte[] other)
    {
        int at = Start.AsSpan().CommonPrefixLength(other);
        return at == Start.Length ? at * 8 : (at * 8) + byte.LeadingZeroCount((byte)(Start[at] ^ other[at]));
    }
}

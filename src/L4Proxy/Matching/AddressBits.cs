using System.Buffers.Binary;
using System.Net;

namespace MeshL4.L4Proxy.Matching;

/// <summary>
/// An IP address as a number, left-aligned in 128 bits, so that a prefix of either family is a mask from the top.
/// IPv4 in IPv6 form (what a dual-stack socket reports) is IPv4. A null address becomes the IPv4 address 0.0.0.0.
/// </summary>
internal readonly record struct AddressBits(UInt128 Value, bool IsV6)
{
    public static AddressBits From(IPAddress? address)
    {
        if (address is null)
        {
            return default;
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int size);
        if (address.IsIPv4MappedToIPv6)
        {
            return V4(bytes[12..]);
        }

        return size == 4 ? V4(bytes) : new AddressBits(BinaryPrimitives.ReadUInt128BigEndian(bytes), true);
    }

    /// <summary>The first <paramref name="length"/> bits; the rest zero.</summary>
    public AddressBits Prefix(int length) =>
        new(length == 0 ? UInt128.Zero : Value & (UInt128.MaxValue << (128 - length)), IsV6);

    private static AddressBits V4(ReadOnlySpan<byte> bytes) =>
        new((UInt128)BinaryPrimitives.ReadUInt32BigEndian(bytes) << 96, false);
}

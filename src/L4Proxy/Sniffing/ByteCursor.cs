using System.Buffers.Binary;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>Reads big-endian fields off the front of a span. A read past the end returns false and moves nothing.</summary>
internal ref struct ByteCursor(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly int Remaining => _rest.Length;

    public readonly bool AtEnd => _rest.IsEmpty;

    public bool TryByte(out byte value)
    {
        bool there = TryTake(1, out ReadOnlySpan<byte> taken);
        value = there ? taken[0] : default;
        return there;
    }

    public bool TryUInt16(out int value)
    {
        bool there = TryTake(2, out ReadOnlySpan<byte> taken);
        value = there ? BinaryPrimitives.ReadUInt16BigEndian(taken) : 0;
        return there;
    }

    public bool TryTake(int count, out ReadOnlySpan<byte> taken)
    {
        if (count > _rest.Length)
        {
            taken = default;
            return false;
        }

        taken = _rest[..count];
        _rest = _rest[count..];
        return true;
    }

    /// <summary>A vector with a one-byte length (TLS notation <c>opaque x&lt;0..2^8-1&gt;</c>).</summary>
    public bool TryVector8(out ReadOnlySpan<byte> vector)
    {
        vector = default;
        ReadOnlySpan<byte> before = _rest;
        if (TryByte(out byte length) && TryTake(length, out vector))
        {
            return true;
        }

        _rest = before;
        return false;
    }

    /// <summary>A vector with a two-byte length.</summary>
    public bool TryVector16(out ReadOnlySpan<byte> vector)
    {
        vector = default;
        ReadOnlySpan<byte> before = _rest;
        if (TryUInt16(out int length) && TryTake(length, out vector))
        {
            return true;
        }

        _rest = before;
        return false;
    }
}

using System.Buffers.Binary;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>One field of a message on the wire: number and wire type with its raw value.</summary>
internal readonly record struct WireField(int Number, int WireType, ulong Number64, ReadOnlyMemory<byte> Bytes);

/// <summary>Reads the fields of one message from protobuf's wire format; groups are refused.</summary>
internal struct WireReader(ReadOnlyMemory<byte> data)
{
    public const int Varint = 0, Fixed64 = 1, LengthDelimited = 2, Fixed32 = 5;

    private int _at;

    /// <summary>Where the next field starts, counted from the message's first byte.</summary>
    public readonly int Position => _at;

    public readonly bool AtEnd => _at >= data.Length;

    /// <summary>Reads one field; false when the bytes are no field.</summary>
    public bool TryRead(out WireField field)
    {
        field = default;
        if (!TryVarint(out ulong tag) || tag >> 3 is 0 or > 536_870_911)
            return false;
        (int number, int type) = ((int)(tag >> 3), (int)(tag & 7));
        ulong value = 0;
        ReadOnlyMemory<byte> bytes = default;
        bool whole = type switch
        {
            Varint => TryVarint(out value),
            Fixed64 => TryTake(8, out bytes),
            LengthDelimited => TryVarint(out ulong length) && length <= int.MaxValue && TryTake((int)length, out bytes),
            Fixed32 => TryTake(4, out bytes),
            _ => false,
        };
        if (type == Fixed64 && whole)
            value = BinaryPrimitives.ReadUInt64LittleEndian(bytes.Span);
        field = new(number, type, value, bytes);
        return whole;
    }

    private bool TryTake(int length, out ReadOnlyMemory<byte> bytes)
    {
        bytes = default;
        if (length > data.Length - _at)
            return false;
        bytes = data.Slice(_at, length);
        _at += length;
        return true;
    }

    private bool TryVarint(out ulong value)
    {
        value = 0;
        ReadOnlySpan<byte> span = data.Span;
        for (int shift = 0; shift < 64 && _at < span.Length; shift += 7)
        {
            byte part = span[_at++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                return true;
        }
        return false;
    }
}

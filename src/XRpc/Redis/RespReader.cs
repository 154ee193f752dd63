using System.Buffers.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>Reads the few pieces of a whole reply that a proxy has to understand. False for anything else, never an exception.</summary>
internal static class RespReader
{
    // A whole reply was scanned under its connection's limits before.
    private static readonly RespLimitsOptions Unlimited = new(MaxBulkBytes: long.MaxValue, MaxReplyElements: long.MaxValue);

    /// <summary>Reads a type byte, a number and the line end.</summary>
    public static bool TryHeader(ReadOnlySpan<byte> bytes, ref int at, out byte type, out long value)
    {
        (type, value) = (0, 0);
        if (at + 4 > bytes.Length)
        {
            return false;
        }

        type = bytes[at];
        if (!Utf8Parser.TryParse(bytes[(at + 1)..], out value, out int used))
        {
            return false;
        }

        at += used + 3;
        return at <= bytes.Length && bytes[at - 2] == '\r';
    }

    /// <summary>Reads a bulk string.</summary>
    public static bool TryBulk(ReadOnlySpan<byte> bytes, ref int at, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!TryHeader(bytes, ref at, out byte type, out long length) || type != '$' || length < 0 || length > bytes.Length - at - 2)
        {
            return false;
        }

        value = bytes.Slice(at, (int)length);
        at += (int)length + 2;
        return true;
    }

    /// <summary>Reads an integer reply.</summary>
    public static bool TryInteger(ReadOnlySpan<byte> bytes, out long value)
    {
        int at = 0;
        return TryHeader(bytes, ref at, out byte type, out value) && type == ':';
    }

    /// <summary>Takes an element of an array.</summary>
    public static bool TryElement(ReadOnlySpan<byte> array, int index, out ReadOnlySpan<byte> element)
    {
        element = default;
        int at = 0;
        if (!TryHeader(array, ref at, out byte type, out long count) || type != '*' || index >= count)
        {
            return false;
        }

        for (ReadOnlySpan<byte> rest = array[at..]; ; index--)
        {
            element = rest[..ElementLength(rest)];
            if (index == 0 || element.IsEmpty)
            {
                return !element.IsEmpty;
            }

            rest = rest[element.Length..];
        }
    }

    /// <summary>Bytes of the element that begins here; 0 when it is not whole.</summary>
    public static int ElementLength(ReadOnlySpan<byte> bytes)
    {
        var scanner = new RespReplyScanner(Unlimited);
        FrameHead head = default;
        return scanner.Scan(bytes, ref head, out int length) == ScanStatus.Done ? length : 0;
    }
}

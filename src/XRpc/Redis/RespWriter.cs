using System.Buffers;
using System.Buffers.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>Writes the few pieces of RESP that a proxy makes itself.</summary>
public static class RespWriter
{
    /// <summary>Writes a type byte, a number and the line end, such as <c>$3\r\n</c>.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="type">Type byte.</param>
    /// <param name="value">Count or length.</param>
    public static void WriteHeader(IBufferWriter<byte> output, byte type, long value)
    {
        Span<byte> room = output.GetSpan(24);
        room[0] = type;
        _ = Utf8Formatter.TryFormat(value, room[1..], out int digits);
        "\r\n"u8.CopyTo(room[(1 + digits)..]);
        output.Advance(digits + 3);
    }
}

using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>Writes the few pieces of RESP that a proxy makes itself.</summary>
public static class RespWriter
{
    /// <summary>Bytes of a client's word that an error repeats, as the server does.</summary>
    private const int MaxEcho = 128;

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

    /// <summary>Writes a bulk string.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="value">Its bytes.</param>
    public static void WriteBulk(IBufferWriter<byte> output, ReadOnlySpan<byte> value)
    {
        WriteHeader(output, (byte)'$', value.Length);
        output.Write(value);
        output.Write("\r\n"u8);
    }

    /// <summary>Writes a number as a bulk string.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="value">The number.</param>
    public static void WriteBulk(IBufferWriter<byte> output, ulong value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out int length);
        WriteBulk(output, digits[..length]);
    }

    /// <summary>Writes an error. Only for the proxy's own words: client bytes come in by <see cref="Printable"/>.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="text">Code and words, without type byte and line end.</param>
    public static void WriteError(IBufferWriter<byte> output, string text)
    {
        output.Write("-"u8);
        WriteText(output, text);
        output.Write("\r\n"u8);
    }

    /// <summary>Writes text as UTF-8.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="text">Any text.</param>
    public static void WriteText(IBufferWriter<byte> output, string text) => Encoding.UTF8.GetBytes(text, output);

    /// <summary>A client's word for an error text: its first 128 bytes, with everything but printable ASCII as <c>\xHH</c>.</summary>
    /// <param name="word">Bytes as sent.</param>
    public static string Printable(ReadOnlySpan<byte> word)
    {
        var text = new StringBuilder();
        foreach (byte value in word[..Math.Min(word.Length, MaxEcho)])
        {
            _ = value is >= 0x20 and < 0x7F ? text.Append((char)value) : text.Append($"\\x{value:x2}");
        }

        return text.ToString();
    }
}

using System.Buffers;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// Turns an inline command into the array of bulk strings it stands for, splitting words and quotes as redis-server does:
/// double quotes with backslash escapes (<c>\n \r \t \b \a \xHH</c>), single quotes with <c>\'</c> only.
/// </summary>
public static class RespInline
{
    /// <summary>Of the thread, not of the client: a line makes up to eight times its bytes.</summary>
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? s_frame;

    /// <summary>Another: who asks for a key may hold the frame.</summary>
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? s_keyed;

    /// <summary>The line that lies there, by its number and length, and the place of its key; a length below 0 for none.</summary>
    [ThreadStatic]
    private static (long Line, int Length, int KeyOffset, int KeyLength) s_keyedLine;

    /// <summary>The number that the thread gave last.</summary>
    [ThreadStatic]
    private static long s_lines;

    /// <summary>Threads that gave numbers.</summary>
    private static long s_threads;

    /// <summary>As <see cref="TryConvert(ReadOnlySpan{byte}, IBufferWriter{byte})"/>, into a buffer that the next call on this thread takes again.</summary>
    /// <param name="line">The line with its line end.</param>
    /// <param name="frame">The frame; empty for an empty line.</param>
    /// <returns>Whether the quotes match.</returns>
    internal static bool TryConvert(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> frame)
    {
        ArrayBufferWriter<byte> buffer = s_frame ??= new ArrayBufferWriter<byte>();
        buffer.ResetWrittenCount();
        bool matches = TryConvert(line, buffer);
        frame = buffer.WrittenSpan;
        return matches;
    }

    /// <summary>A number that no other line has: those of a thread begin where no other's come to.</summary>
    internal static long NextLine() => s_lines == 0 ? s_lines = Interlocked.Increment(ref s_threads) << 44 : ++s_lines;

    /// <summary>
    /// The first key of a line, where its command has one at a fixed place; in a buffer that the next call for another line on this thread takes
    /// again. The line is split once: every route with metadata asks, and a line may be long.
    /// </summary>
    /// <param name="bytes">The line with its line end.</param>
    /// <param name="command">What its first word says.</param>
    /// <param name="line">Its number.</param>
    /// <param name="key">As the server reads it, without quotes.</param>
    internal static bool TryFindKey(ReadOnlySpan<byte> bytes, RedisCommandId command, long line, out ReadOnlySpan<byte> key)
    {
        key = default;
        int index = RedisCommandTable.FirstKey(command);
        if (index == 0)
        {
            return false;
        }

        ArrayBufferWriter<byte> buffer = s_keyed ??= new ArrayBufferWriter<byte>();
        if (s_keyedLine.Line != line || s_keyedLine.Length != bytes.Length)
        {
            (int offset, int length) = FindWord(bytes, index, buffer);
            s_keyedLine = (line, bytes.Length, offset, length);
        }

        bool found = s_keyedLine.KeyLength >= 0;
        key = found ? buffer.WrittenSpan.Slice(s_keyedLine.KeyOffset, s_keyedLine.KeyLength) : default;
        return found;
    }

    /// <summary>Where a word of a line is in what it stands for; a length below 0 for nowhere.</summary>
    private static (int Offset, int Length) FindWord(ReadOnlySpan<byte> line, int index, ArrayBufferWriter<byte> buffer)
    {
        buffer.ResetWrittenCount();
        if (!TryConvert(line, buffer) || buffer.WrittenCount == 0)
        {
            return (0, -1);
        }

        using var words = new RespArguments(buffer.WrittenSpan);
        return index < words.Count ? (words.Offset(index), words[index].Length) : (0, -1);
    }

    /// <summary>Splits a line. Nothing is thrown, whatever the bytes are.</summary>
    /// <param name="line">The line with its line end; within the inline limit.</param>
    /// <param name="output">Takes the frame; nothing is written for an empty line or a bad one.</param>
    /// <returns>Whether the quotes match.</returns>
    public static bool TryConvert(ReadOnlySpan<byte> line, IBufferWriter<byte> output)
    {
        line = TrimEnd(line);
        byte[] words = ArrayPool<byte>.Shared.Rent(Math.Max(line.Length, 1));
        int[] ends = ArrayPool<int>.Shared.Rent((line.Length / 2) + 1);
        try
        {
            int count = 0;
            int written = 0;
            int at = 0;
            while (SkipSpace(line, ref at))
            {
                if (!TryTakeWord(line, ref at, words, ref written))
                {
                    return false;
                }

                ends[count++] = written;
            }

            Write(words, ends.AsSpan(0, count), output);
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(words);
            ArrayPool<int>.Shared.Return(ends);
        }
    }

    private static ReadOnlySpan<byte> TrimEnd(ReadOnlySpan<byte> line)
    {
        line = line.EndsWith("\n"u8) ? line[..^1] : line;
        line = line.EndsWith("\r"u8) ? line[..^1] : line;

        // The server reads the line as a C string.
        int nul = line.IndexOf((byte)0);
        return nul < 0 ? line : line[..nul];
    }

    private static bool SkipSpace(ReadOnlySpan<byte> line, ref int at)
    {
        while (at < line.Length && IsSpace(line[at]))
        {
            at++;
        }

        return at < line.Length;
    }

    private static bool TryTakeWord(ReadOnlySpan<byte> line, ref int at, byte[] words, ref int written)
    {
        while (at < line.Length && !EndsWord(line[at]))
        {
            byte value = line[at++];
            if (value is not ((byte)'"' or (byte)'\''))
            {
                words[written++] = value;
                continue;
            }

            if (!TryTakeQuoted(line, value, ref at, words, ref written) || (at < line.Length && !IsSpace(line[at])))
            {
                return false;
            }

            return true;
        }

        return true;
    }

    private static bool TryTakeQuoted(ReadOnlySpan<byte> line, byte quote, ref int at, byte[] words, ref int written)
    {
        while (at < line.Length)
        {
            byte value = line[at++];
            if (value == quote)
            {
                return true;
            }

            if (value == '\\' && at < line.Length && (quote == '"' || line[at] == '\''))
            {
                value = Unescape(line, quote, ref at);
            }

            words[written++] = value;
        }

        return false;
    }

    private static byte Unescape(ReadOnlySpan<byte> line, byte quote, ref int at)
    {
        byte value = line[at++];
        if (quote == '\'')
        {
            return value;
        }

        if (value == 'x' && at + 2 <= line.Length && char.IsAsciiHexDigit((char)line[at]) && char.IsAsciiHexDigit((char)line[at + 1]))
        {
            at += 2;
            return FromHex(line[at - 2], line[at - 1]);
        }

        return Escaped(value);
    }

    /// <summary>The byte that two hexadecimal digits say.</summary>
    internal static byte FromHex(byte first, byte second) => (byte)((HexDigit(first) << 4) | HexDigit(second));

    /// <summary>What a letter behind a backslash says between double quotes.</summary>
    internal static byte Escaped(byte value) => value switch
    {
        (byte)'n' => (byte)'\n',
        (byte)'r' => (byte)'\r',
        (byte)'t' => (byte)'\t',
        (byte)'b' => (byte)'\b',
        (byte)'a' => (byte)'\a',
        _ => value,
    };

    private static int HexDigit(byte value) => value <= '9' ? value - '0' : (value & 0xDF) - 'A' + 10;

    /// <summary>What the server passes over between words, and takes behind a closing quote.</summary>
    internal static bool IsSpace(byte value) => value is (byte)' ' or (>= 9 and <= 13);

    /// <summary>What ends a word without quotes: not the vertical tab and the form feed, which the server passes over all the same.</summary>
    internal static bool EndsWord(byte value) => value is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r';

    private static void Write(byte[] words, ReadOnlySpan<int> ends, IBufferWriter<byte> output)
    {
        if (ends.IsEmpty)
        {
            return;
        }

        RespWriter.WriteHeader(output, (byte)'*', ends.Length);
        int start = 0;
        foreach (int end in ends)
        {
            RespWriter.WriteHeader(output, (byte)'$', end - start);
            output.Write(words.AsSpan(start, end - start));
            output.Write("\r\n"u8);
            start = end;
        }
    }
}

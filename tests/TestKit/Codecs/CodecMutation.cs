using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace MeshL4.TestKit.Codecs;

/// <summary>Inputs that are nearly frames: bits flipped, ends cut, frames spliced, lengths made to lie. Equal random numbers give equal inputs.</summary>
/// <param name="marks">Byte sequences with a meaning in the protocol.</param>
/// <param name="random">Random numbers.</param>
internal sealed class CodecMutation(ImmutableArray<byte[]> marks, Random random)
{
    /// <summary>Inputs stay below this, so that a run looks at many.</summary>
    public const int MostBytes = 4096;

    private static readonly long[] Edges = [0, 1, -1, 127, 128, 255, 256, 32767, 65535, 65536, int.MaxValue, 1L + int.MaxValue, uint.MaxValue, 1L + uint.MaxValue, long.MaxValue, long.MinValue];

    /// <summary>A changed copy.</summary>
    /// <param name="seed">Where it comes from.</param>
    /// <param name="other">What may be spliced in.</param>
    public byte[] Of(FuzzSeed seed, FuzzSeed other)
    {
        var bytes = new List<byte>(seed.Bytes);
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            Change(bytes, seed, other);
        }

        return bytes.Count > MostBytes ? [.. bytes[..MostBytes]] : [.. bytes];
    }

    private void Change(List<byte> bytes, FuzzSeed seed, FuzzSeed other)
    {
        int at = random.Next(bytes.Count + 1);
        int left = bytes.Count - at;
        switch (random.Next(9))
        {
            case 0 when left > 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 1 when left > 0: bytes[at] = (byte)random.Next(256); break;
            case 2: bytes.RemoveRange(at, left); break;
            case 3: bytes.RemoveRange(at, Math.Min(left, random.Next(1, 5))); break;
            case 4: bytes.InsertRange(at, other.Bytes[..random.Next(other.Bytes.Length + 1)]); break;
            case 5: bytes.InsertRange(bytes.Count, other.Bytes); break;
            case 6 when marks.Length > 0: bytes.InsertRange(at, marks[random.Next(marks.Length)]); break;
            case 7 when seed.Lengths.Length > 0: EditNumber(bytes, seed.Lengths[random.Next(seed.Lengths.Length)]); break;
            default: EditText(bytes, at); break;
        }
    }

    private void EditNumber(List<byte> bytes, LengthField field)
    {
        if (field.Offset + field.Width > bytes.Count)
        {
            return;
        }

        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(number, Edge());
        number = number[(8 - field.Width)..];
        for (int i = 0; i < field.Width; i++)
        {
            bytes[field.Offset + i] = field.BigEndian ? number[i] : number[field.Width - 1 - i];
        }
    }

    /// <summary>Another number in place of the digits at or behind a place.</summary>
    private void EditText(List<byte> bytes, int at)
    {
        int first = bytes.FindIndex(at, static value => char.IsAsciiDigit((char)value));
        if (first < 0)
        {
            return;
        }

        int end = bytes.FindIndex(first, static value => !char.IsAsciiDigit((char)value));
        bytes.RemoveRange(first, (end < 0 ? bytes.Count : end) - first);
        bytes.InsertRange(first, Encoding.ASCII.GetBytes(Edge().ToString(CultureInfo.InvariantCulture)));
    }

    private long Edge() => random.Next(4) == 0 ? random.Next(64) : Edges[random.Next(Edges.Length)] + random.Next(-1, 2);
}

/// <summary>An input that others are made of.</summary>
/// <param name="Bytes">The bytes.</param>
/// <param name="Lengths">Where numbers in them say how long something is.</param>
internal readonly record struct FuzzSeed(byte[] Bytes, ImmutableArray<LengthField> Lengths);

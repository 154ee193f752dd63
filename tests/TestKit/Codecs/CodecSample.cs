using System.Collections.Immutable;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>What a codec's author knows of the protocol: frames as peers send them, and what is in them. Everything else the kit derives.</summary>
public sealed record CodecSample
{
    /// <summary>At least one of each kind that either side sends; short ones, best under 300 bytes.</summary>
    public required ImmutableArray<GoldenFrame> Frames { get; init; }

    /// <summary>A frame with a body of 64 MB, or with the longest there is.</summary>
    public required LongFrame Long { get; init; }

    /// <summary>Beginnings of frames that are over a limit as soon as their length is known.</summary>
    public required ImmutableArray<OversizedFrame> Oversized { get; init; }

    /// <summary>Byte sequences with a meaning in the protocol, for the fuzzer to put in: line ends, magic numbers, type marks.</summary>
    public ImmutableArray<byte[]> Marks { get; init; } = [];

    /// <summary>
    /// Names of other codecs that may say Yes of the first speaker's frames where neither author can mend it: memcached's <c>get k</c> is a line of Redis.
    /// Connections of such a protocol need configuration that says which it is.
    /// </summary>
    public ImmutableArray<string> AlsoDetectedAs { get; init; } = [];

    /// <summary>The frames of one side.</summary>
    public IEnumerable<GoldenFrame> From(Side side) => Frames.Where(frame => frame.From == side);
}

/// <summary>A frame and what a right codec sees in it.</summary>
/// <param name="Name">For messages.</param>
/// <param name="From">Who sends it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Bytes">All of it and nothing else.</param>
public sealed record GoldenFrame(string Name, Side From, FrameKind Kind, byte[] Bytes)
{
    /// <summary>
    /// What pairs answers with requests; 0 where the protocol has no ids, or this kind of frame none (pings, pushes). Clients may have 0 for one of theirs.
    /// </summary>
    public ulong Id { get; init; }

    /// <summary>Properties.</summary>
    public FrameFlags Flags { get; init; }

    /// <summary>Requests: answers due.</summary>
    public int Replies { get; init; }

    /// <summary>Requests of a codec with <see cref="CodecTraits.Methods"/>: the name of this one's there.</summary>
    public string? Method { get; init; }

    /// <summary>Whether its key cannot be shortened, because answers repeat it or it is signed: WriteEdited may say no to that.</summary>
    public bool KeepsKey { get; init; }

    /// <summary>All metadata the frame has, as text by name; a name that is not here is one the frame does not have.</summary>
    public ImmutableDictionary<string, string> Meta { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Places of numbers that say how long something is, for the fuzzer. Numbers in text are found without.</summary>
    public ImmutableArray<LengthField> Lengths { get; init; } = [];

    /// <inheritdoc/>
    public override string ToString() => $"'{Name}' ({Convert.ToHexString(Bytes.AsSpan(0, Math.Min(Bytes.Length, 64)))})";
}

/// <summary>A number that says how long something is.</summary>
/// <param name="Offset">From the frame's first byte.</param>
/// <param name="Width">Bytes: 1, 2, 4 or 8.</param>
/// <param name="BigEndian">Byte order.</param>
public readonly record struct LengthField(int Offset, int Width, bool BigEndian = true);

/// <summary>A frame too long to be written down.</summary>
/// <param name="From">Who sends it.</param>
/// <param name="Beginning">Up to the body.</param>
/// <param name="Body">Bytes of the body, all the same.</param>
/// <param name="Ending">Behind the body.</param>
public sealed record LongFrame(Side From, byte[] Beginning, long Body, byte[] Ending)
{
    /// <summary>What a body has to have, unless <see cref="IsLongest"/>, for the check of fixed memory to mean something.</summary>
    public const long Least = 64L * 1024 * 1024;

    /// <summary>Whether the format has no longer body than this one, as with lengths of 24 bits.</summary>
    public bool IsLongest { get; init; }

    /// <summary>The byte the body is made of.</summary>
    public byte Fill { get; init; } = (byte)'x';
}

/// <summary>The beginning of a frame that is too long.</summary>
/// <param name="Name">For messages.</param>
/// <param name="From">Who sends it.</param>
/// <param name="Beginning">Up to and with the byte behind which the codec has to say Bad.</param>
/// <param name="Limits">The limits it is over.</param>
public sealed record OversizedFrame(string Name, Side From, byte[] Beginning, CodecLimits Limits);

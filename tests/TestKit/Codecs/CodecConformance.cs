using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>The kit for one codec, without its type: what a test's data can hold.</summary>
public interface ICodecConformance
{
    /// <summary>The protocol's name.</summary>
    string Name { get; }

    /// <summary>The author's frames.</summary>
    CodecSample Sample { get; }

    /// <summary>Side whose bytes detection looks at.</summary>
    Side FirstSpeaker { get; }

    /// <summary>Names of all checks.</summary>
    IEnumerable<string> Checks { get; }

    /// <summary>Runs one check.</summary>
    /// <param name="name">Of <see cref="Checks"/>.</param>
    /// <exception cref="ConformanceException">The codec breaks its contract.</exception>
    void Check(string name);

    /// <summary>Whether bytes are this protocol's.</summary>
    Detection Detect(ReadOnlySpan<byte> first);

    /// <summary>A fuzzer for this codec.</summary>
    /// <param name="seed">Equal seeds give equal inputs.</param>
    ICodecFuzzer Fuzz(int seed);

    /// <summary>Times the codec on its golden frames.</summary>
    /// <param name="each">How long each frame is repeated.</param>
    IReadOnlyList<FrameCost> Benchmark(TimeSpan each);
}

/// <summary>Holds a codec to the contract. Each check is mechanical; all it needs to know of the protocol is in the sample.</summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public sealed partial class CodecConformance<TCodec> : ICodecConformance
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly Dictionary<string, Action> _checks;

    /// <summary>The kit with an author's frames.</summary>
    /// <param name="sample">The frames.</param>
    public CodecConformance(CodecSample sample)
    {
        Sample = sample;
        _checks = new Dictionary<string, Action>
        {
            ["golden frames are what they are"] = GoldenFrames,
            ["cut at every byte and every pair of bytes"] = Cuts,
            ["frames behind one another, cut at every byte"] = Neighbours,
            ["a truncated frame is More"] = Truncation,
            ["the head is true when it is told"] = HeadIsTrue,
            ["segments of a sequence"] = Segments,
            ["over a limit is Bad"] = Oversize,
            ["64 MB byte by byte in fixed memory"] = Drip,
            ["nothing allocated per frame"] = NoAllocation,
            ["local replies parse"] = LocalReplies,
            ["control frames parse"] = ControlFrames,
            ["an edit of nothing changes nothing"] = Identity,
            ["a new id changes the id only"] = IdRewrite,
            ["a key's prefix is removed"] = KeyPrefix,
            ["metadata is set where the traits say so"] = MetadataEdits,
            ["traits are consistent"] = TraitsAreConsistent,
            ["frames honour the traits"] = FramesHonourTraits,
            ["detection"] = Detects,
        };
    }

    /// <inheritdoc/>
    public CodecSample Sample { get; }

    /// <inheritdoc/>
    public string Name => Traits.Name;

    /// <inheritdoc/>
    public Side FirstSpeaker => Traits.FirstSpeaker;

    /// <inheritdoc/>
    public IEnumerable<string> Checks => _checks.Keys;

    private static CodecTraits Traits => TCodec.Traits;

    private static CodecLimits Limits => CodecLimits.Default with { MaxHead = TCodec.Traits.MaxHead };

    /// <inheritdoc/>
    public void Check(string name) => _checks[name]();

    /// <inheritdoc/>
    public Detection Detect(ReadOnlySpan<byte> first) => TCodec.Detect(first);

    /// <inheritdoc/>
    public ICodecFuzzer Fuzz(int seed) => new CodecFuzzer<TCodec>(Sample, seed);

    /// <inheritdoc/>
    public IReadOnlyList<FrameCost> Benchmark(TimeSpan each) => CodecBenchmark<TCodec>.Run(Sample, each);

    /// <inheritdoc/>
    public override string ToString() => Name;

    private static void Unless(bool holds, GoldenFrame frame, Func<string> message) =>
        ConformanceException.Unless(holds, () => $"{Traits.Name}, {frame}: {message()}");

    /// <summary>The codec behind the scan of a whole frame, as the runtime has it when it asks for metadata or edits.</summary>
    private static TCodec Scanned(Side from, ReadOnlySpan<byte> bytes, out FrameHead head, string? what = null)
    {
        TCodec codec = TCodec.Start(from, Limits);
        head = default;
        ScanStatus status = codec.Scan(bytes, ref head, out int consumed);
        if (status != ScanStatus.Done || consumed != bytes.Length)
        {
            throw new ConformanceException(
                $"{Traits.Name}{(what is null ? "" : $", {what}")}: {status} behind {consumed} of {bytes.Length} bytes, where one frame was expected (fault {head.Fault}): {ConformanceException.Show(bytes)}");
        }

        return codec;
    }

    private static byte[] Edited(GoldenFrame frame, HeadEdit edit, int upTo)
    {
        TCodec codec = TCodec.Start(frame.From, Limits);
        var head = default(FrameHead);
        codec.Scan(frame.Bytes.AsSpan(0, upTo), ref head, out _);
        var output = new ArrayBufferWriter<byte>();
        bool written = codec.WriteEdited(new FrameView(ref head, frame.Bytes.AsSpan(0, upTo), upTo == frame.Bytes.Length), edit, output);
        Unless(written || output.WrittenCount == 0, frame, () => "WriteEdited said no and wrote bytes");
        return written ? [.. output.WrittenSpan, .. frame.Bytes.AsSpan(upTo)] : [];
    }

    /// <summary>Lengths of a frame's beginning at which its head is known: whole, and where Head is first said.</summary>
    private static IEnumerable<int> KnownAt(GoldenFrame frame)
    {
        yield return frame.Bytes.Length;
        for (int length = 1; length < frame.Bytes.Length; length++)
        {
            if (IsHeadAt(frame, length))
            {
                yield return length;
                yield break;
            }
        }
    }

    private static bool IsHeadAt(GoldenFrame frame, int length)
    {
        TCodec codec = TCodec.Start(frame.From, Limits);
        var head = default(FrameHead);
        return codec.Scan(frame.Bytes.AsSpan(0, length), ref head, out _) == ScanStatus.Head;
    }
}

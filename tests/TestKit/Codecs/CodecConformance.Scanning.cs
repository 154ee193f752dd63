using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <content>How frames are found.</content>
public sealed partial class CodecConformance<TCodec>
{
    /// <summary>Over this only single cuts are tried: pairs grow with the square.</summary>
    private const int MostForPairs = 400;

    private void GoldenFrames()
    {
        foreach (GoldenFrame frame in Sample.Frames)
        {
            TCodec codec = Scanned(frame.From, frame.Bytes, out FrameHead head);
            Unless(head.Kind == frame.Kind, frame, () => $"kind {head.Kind}, expected {frame.Kind}");
            Unless(head.Id == frame.Id, frame, () => $"id {head.Id}, expected {frame.Id}");
            Unless(head.Flags == frame.Flags, frame, () => $"flags {head.Flags}, expected {frame.Flags}");
            bool isRequest = head.Kind is FrameKind.Request or FrameKind.StreamOpen;
            Unless(!isRequest || head.Replies == frame.Replies, frame, () => $"{head.Replies} replies due, expected {frame.Replies}");
            Unless(!isRequest || frame.Method is not null || Traits.Methods.IsEmpty, frame, () => $"its {nameof(GoldenFrame.Method)} is not given; the codec says {MethodOf(head)}");
            Unless(!isRequest || frame.Method is null || frame.Method == MethodOf(head), frame, () => $"method {MethodOf(head)}, expected {frame.Method}");
            RequireMeta(frame, ref codec, new FrameView(ref head, frame.Bytes, isWhole: true), MetaTier.WholeBody);
        }
    }

    private static string MethodOf(FrameHead head) =>
        head.Method >= 0 && head.Method < Traits.Methods.Length ? Traits.Methods[head.Method] : $"{head.Method}, which has no name";

    private static void RequireMeta(GoldenFrame frame, ref TCodec codec, in FrameView view, MetaTier upTo)
    {
        for (int i = 0; i < Traits.Meta.Length; i++)
        {
            MetaKey key = Traits.Meta[i];
            if (key.Tier > upTo)
            {
                continue;
            }

            string? expected = frame.Meta.GetValueOrDefault(key.Name);
            string? actual = codec.TryMeta(view, i, out ReadOnlySpan<byte> value) ? Encoding.UTF8.GetString(value) : null;
            Unless(actual == expected, frame, () => $"{key.Name} is {actual ?? "not there"}, expected {expected ?? "none"}");
            int length = value.Length;
            int most = view.Bytes.Length;
            Unless(actual is null || length <= most, frame, () => $"{key.Name} has {length} bytes, more than the {most} of the frame that are there");
        }
    }

    private void Cuts()
    {
        var whole = new FrameLog(16);
        var pieces = new FrameLog(16);
        Span<int> cuts = stackalloc int[2];
        foreach (GoldenFrame frame in Sample.Frames)
        {
            FrameScan<TCodec>.Run(frame.From, Limits, frame.Bytes, [], whole);
            for (int a = 0; a <= frame.Bytes.Length; a++)
            {
                int last = frame.Bytes.Length > MostForPairs ? a : frame.Bytes.Length;
                for (int b = a; b <= last; b++)
                {
                    (cuts[0], cuts[1]) = (a, b);
                    RequireSame(frame.From, frame.Bytes, cuts, whole, pieces);
                }
            }
        }
    }

    private void Neighbours()
    {
        foreach (Side side in Enum.GetValues<Side>())
        {
            GoldenFrame[] frames = [.. Sample.From(side)];
            byte[] bytes = [.. frames.SelectMany(static frame => frame.Bytes)];
            var whole = new FrameLog(frames.Length + 16);
            var pieces = new FrameLog(frames.Length + 16);
            FrameScan<TCodec>.Run(side, Limits, bytes, [], whole);
            ConformanceException.Unless(
                whole.Count == frames.Length && whole.Frames.ToArray().Zip(frames).All(static pair => pair.First.Head.Length == pair.Second.Bytes.Length),
                () => $"{Name}: the {frames.Length} golden frames of {side} behind one another are seen as {whole}");
            for (int cut = 0; cut <= bytes.Length; cut++)
            {
                RequireSame(side, bytes, [cut], whole, pieces);
            }

            FrameScan<TCodec>.RunByteByByte(side, Limits, bytes, pieces);
            ConformanceException.Unless(pieces.IsSameAs(whole), () => $"{Name}: byte by byte the frames of {side} are {pieces}, in one piece {whole}");
        }
    }

    private static void RequireSame(Side from, ReadOnlySpan<byte> bytes, ReadOnlySpan<int> cuts, FrameLog whole, FrameLog pieces)
    {
        FrameScan<TCodec>.Run(from, Limits, bytes, cuts, pieces);
        if (!pieces.IsSameAs(whole))
        {
            throw new ConformanceException(
                $"{Traits.Name}: cut at {string.Join(" and ", cuts.ToArray())} the frames are {pieces}, in one piece {whole}: {ConformanceException.Show(bytes)}");
        }
    }

    private void Truncation()
    {
        foreach (GoldenFrame frame in Sample.Frames)
        {
            for (int length = 0; length < frame.Bytes.Length; length++)
            {
                TCodec codec = TCodec.Start(frame.From, Limits);
                var head = default(FrameHead);
                ScanStatus status = codec.Scan(frame.Bytes.AsSpan(0, length), ref head, out int consumed);
                Unless(status is ScanStatus.More or ScanStatus.Head && consumed == length, frame, () => $"{status} behind {length} bytes");
            }
        }
    }

    private void HeadIsTrue()
    {
        foreach (GoldenFrame frame in Sample.Frames)
        {
            Scanned(frame.From, frame.Bytes, out FrameHead whole);
            for (int length = 1; length < frame.Bytes.Length; length++)
            {
                TCodec codec = TCodec.Start(frame.From, Limits);
                var head = default(FrameHead);
                if (codec.Scan(frame.Bytes.AsSpan(0, length), ref head, out _) != ScanStatus.Head)
                {
                    continue;
                }

                var told = new ScannedFrame(ScanStatus.Done, head with { Length = whole.Length });
                Unless(told.IsSameAs(new ScannedFrame(ScanStatus.Done, whole)), frame, () => $"told at byte {length}: {told}, in the end {whole.Kind} {whole.Flags} id {whole.Id}");
                Unless(head.HeadLength <= length, frame, () => $"told at byte {length}, but the head has {head.HeadLength} bytes");
                RequireMeta(frame, ref codec, new FrameView(ref head, frame.Bytes.AsSpan(0, length), isWhole: false), MetaTier.Prefix);
                if (head.HeadLength > 0)
                {
                    RequireMeta(frame, ref codec, new FrameView(ref head, frame.Bytes.AsSpan(0, head.HeadLength), isWhole: false), MetaTier.Prefix);
                }
            }
        }
    }

    private void Segments()
    {
        foreach (GoldenFrame frame in Sample.Frames)
        {
            for (int cut = 1; cut < frame.Bytes.Length; cut++)
            {
                TCodec codec = TCodec.Start(frame.From, Limits);
                var head = default(FrameHead);
                ScanStatus status = codec.Scan(TwoSegments(frame.Bytes, cut), ref head, out long consumed);
                Unless(status == ScanStatus.Done && consumed == frame.Bytes.Length, frame, () => $"{status} behind {consumed} bytes in segments cut at {cut}");
            }
        }
    }

    private static ReadOnlySequence<byte> TwoSegments(byte[] bytes, int cut)
    {
        var first = new Segment(bytes.AsMemory(0, cut));
        return new ReadOnlySequence<byte>(first, 0, first.Followed(bytes.AsMemory(cut)), bytes.Length - cut);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory) => Memory = memory;

        public Segment Followed(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory) { RunningIndex = RunningIndex + Memory.Length };
            Next = next;
            return next;
        }
    }
}

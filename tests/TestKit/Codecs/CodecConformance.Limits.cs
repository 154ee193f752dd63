using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <content>What a frame may cost.</content>
public sealed partial class CodecConformance<TCodec>
{
    private const int Rounds = 200;

    private void Oversize()
    {
        foreach (OversizedFrame frame in Sample.Oversized)
        {
            TCodec codec = TCodec.Start(frame.From, frame.Limits);
            var head = default(FrameHead);
            ScanStatus status = codec.Scan(frame.Beginning, ref head, out _);
            ConformanceException.Unless(
                status == ScanStatus.Bad && head.Fault != 0 && TCodec.Describe(head.Fault).Length > 0,
                () => $"{Name}: '{frame.Name}' is over {frame.Limits}, and the codec said {status} with fault {head.Fault}");
            status = codec.Scan(frame.Beginning, ref head, out _);
            ConformanceException.Unless(status == ScanStatus.Bad, () => $"{Name}: '{frame.Name}' was Bad, and more bytes made it {status}");
        }
    }

    private void Drip()
    {
        LongFrame frame = Sample.Long;
        ConformanceException.Unless(frame.Body >= LongFrame.Least || frame.IsLongest, () => $"{Name}: the long frame's body has only {frame.Body} bytes, and is not said to be the longest");
        long allocated = Allocations.OfMost(() => Drip(frame));
        ConformanceException.Unless(allocated == 0, () => $"{Name}: {allocated} bytes allocated for the long frame's body");
    }

    /// <summary>Once, and what it allocated.</summary>
    private long Drip(LongFrame frame)
    {
        TCodec codec = TCodec.Start(frame.From, Limits);
        var head = default(FrameHead);
        ReadOnlySpan<byte> fill = [frame.Fill];
        ScanStatus status = codec.Scan(frame.Beginning, ref head, out _);
        int heads = status == ScanStatus.Head ? 1 : 0;
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (long i = 0; i < frame.Body && status is ScanStatus.More or ScanStatus.Head; i++)
        {
            status = codec.Scan(fill, ref head, out _);
            heads += status == ScanStatus.Head ? 1 : 0;
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        status = frame.Ending.Length > 0 ? codec.Scan(frame.Ending, ref head, out _) : status;
        long length = frame.Beginning.Length + frame.Body + frame.Ending.Length;
        ConformanceException.Unless(
            status == ScanStatus.Done && head.Length == length, () => $"{Name}: the long frame of {length} bytes ended {status} at {head.Length}");
        ConformanceException.Unless(heads <= 1, () => $"{Name}: Head was told {heads} times");
        return allocated;
    }

    private void NoAllocation()
    {
        var output = new ArrayBufferWriter<byte>(64 * 1024);
        ulong taken = 0;
        foreach (GoldenFrame frame in Sample.Frames)
        {
            taken += ScanAll(frame, output, 2);
            long allocated = Allocations.OfEvery(() => taken += ScanAll(frame, output, Rounds));
            Unless(allocated == 0, frame, () => $"{allocated} bytes allocated by {Rounds} frames");
        }

        ConformanceException.Unless(taken > 0, () => $"{Name}: no golden frame");
    }

    /// <summary>The happy path of a frame: scanned, metadata read, given another id and a shorter key.</summary>
    private static ulong ScanAll(GoldenFrame frame, ArrayBufferWriter<byte> output, int rounds)
    {
        TCodec codec = TCodec.Start(frame.From, Limits);
        var head = default(FrameHead);
        ulong taken = 0;
        for (int i = 0; i < rounds; i++)
        {
            codec.Scan(frame.Bytes, ref head, out int consumed);
            var view = new FrameView(ref head, frame.Bytes, isWhole: true);
            for (int meta = 0; meta < Traits.Meta.Length; meta++)
            {
                taken += codec.TryMeta(view, meta, out ReadOnlySpan<byte> value) ? (ulong)value.Length : 0;
            }

            output.ResetWrittenCount();
            codec.WriteEdited(view, new HeadEdit(Traits.Order == FrameOrder.Multiplexed ? 7 : null, i & 1), output);
            taken += (ulong)(consumed + output.WrittenCount);
        }

        return taken;
    }
}

using System.Text;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Shouldly;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>The codec itself with hostile bytes, without a proxy around it.</summary>
internal static class RespScan
{
    private const int MostFrames = 4096;
    private const int MostOnce = 5;

    /// <summary>What the codec sees, the same wherever the bytes are cut in two; nothing is thrown.</summary>
    public static ScannedFrame[] CutAnywhere(Side from, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        (FrameLog whole, FrameLog cut) = (new FrameLog(MostFrames), new FrameLog(MostFrames));
        FrameScan<RespCodec>.Run(from, CodecLimits.Default, bytes, [], whole);
        for (int at = 0; at <= bytes.Length; at++)
        {
            FrameScan<RespCodec>.Run(from, CodecLimits.Default, bytes, [at], cut);
            cut.IsSameAs(whole).ShouldBeTrue($"cut at {at}: {cut}, whole: {whole}");
        }

        return whole.Frames.ToArray();
    }

    /// <summary>What the codec sees, and that it allocates nothing for it.</summary>
    public static ScannedFrame[] WithoutMemory(Side from, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        var log = new FrameLog(MostFrames);
        long allocated = 1;
        for (int again = 0; allocated > 0 && again < MostOnce; again++)
        {
            // What the process allocates once, such as a type's statics, is not the codec's.
            long before = GC.GetAllocatedBytesForCurrentThread();
            FrameScan<RespCodec>.Run(from, CodecLimits.Default, bytes, [], log);
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        }

        allocated.ShouldBe(0);
        return log.Frames.ToArray();
    }
}

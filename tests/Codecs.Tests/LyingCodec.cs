using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests;

/// <summary>Traits that are not true of the sample's frames, or frames that are not as its traits or its golden frames say.</summary>
internal interface ILie
{
    static virtual CodecTraits Traits => PingPongCodec.Traits;

    /// <summary>What is told of a frame instead of the truth.</summary>
    static virtual void Distort(Side from, ref FrameHead head)
    {
    }

    /// <summary>What is written of a frame that is to be edited.</summary>
    static virtual bool WriteEdited(in PingPongCodec codec, in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => codec.WriteEdited(frame, edit, output);

    /// <summary>What is written in place of a server's answer.</summary>
    static virtual bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) => PingPongCodec.WriteLocalReply(request, reply, output);
}

/// <summary>The sample codec with one promise that it does not keep: the runtime would be chosen by it.</summary>
internal struct LyingCodec<TLie> : IXRpcCodec<LyingCodec<TLie>>
    where TLie : ILie
{
    private PingPongCodec _inner;
    private Side _from;

    public static CodecTraits Traits => TLie.Traits;

    public static LyingCodec<TLie> Start(Side from, CodecLimits limits) => new() { _from = from, _inner = PingPongCodec.Start(from, limits) };

    public static Detection Detect(ReadOnlySpan<byte> first) => PingPongCodec.Detect(first);

    public static string Describe(int fault) => PingPongCodec.Describe(fault);

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) => TLie.WriteLocalReply(request, reply, output);

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) => PingPongCodec.TryWriteControl(from, control, id, output);

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        ScanStatus status = _inner.Scan(input, ref head, out consumed);
        if (status is ScanStatus.Head or ScanStatus.Done)
        {
            TLie.Distort(_from, ref head);
        }

        return status;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value) => _inner.TryMeta(frame, meta, out value);

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => TLie.WriteEdited(_inner, frame, edit, output);
}

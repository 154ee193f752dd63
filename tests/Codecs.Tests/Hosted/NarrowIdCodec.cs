using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>The sample codec with ids of eight bits: a connection has sixteen calls in flight at most, and soon uses an id again. What ends streams in the
/// sample belongs to no call here, and nobody can be told to go away.</summary>
internal struct NarrowIdCodec : IXRpcCodec<NarrowIdCodec>
{
    private PingPongCodec _inner;

    public static CodecTraits Traits { get; } = PingPongCodec.Traits with { Name = "narrow", IdBits = 8 };

    public static Detection Detect(ReadOnlySpan<byte> first) => PingPongCodec.Detect(first);

    public static NarrowIdCodec Start(Side from, CodecLimits limits) => new() { _inner = PingPongCodec.Start(from, limits) };

    public static string Describe(int fault) => PingPongCodec.Describe(fault);

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) => PingPongCodec.WriteLocalReply(request, reply, output);

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) =>
        control != ControlFrame.GoAway && PingPongCodec.TryWriteControl(from, control, id, output);

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        ScanStatus status = _inner.Scan(input, ref head, out consumed);
        head.Kind = head.Kind == FrameKind.StreamEnd ? FrameKind.Push : head.Kind;
        return status;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value) => _inner.TryMeta(frame, meta, out value);

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => _inner.WriteEdited(frame, edit, output);
}

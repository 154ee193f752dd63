using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>The sample codec, which never says that a head is known: its frames are held until they are whole.</summary>
internal struct HeadlessCodec : IXRpcCodec<HeadlessCodec>
{
    private PingPongCodec _inner;

    public static CodecTraits Traits { get; } = PingPongCodec.Traits with { Name = "headless" };

    public static Detection Detect(ReadOnlySpan<byte> first) => PingPongCodec.Detect(first);

    public static HeadlessCodec Start(Side from, CodecLimits limits) => new() { _inner = PingPongCodec.Start(from, limits) };

    public static string Describe(int fault) => PingPongCodec.Describe(fault);

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) => PingPongCodec.WriteLocalReply(request, reply, output);

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) => PingPongCodec.TryWriteControl(from, control, id, output);

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        ScanStatus status = _inner.Scan(input, ref head, out consumed);
        return status == ScanStatus.Head ? ScanStatus.More : status;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value) => _inner.TryMeta(frame, meta, out value);

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => _inner.WriteEdited(frame, edit, output);
}

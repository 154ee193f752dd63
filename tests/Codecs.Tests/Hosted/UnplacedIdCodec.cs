using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>The sample codec, which does not tell where a frame's id is: whoever wants another has the frame written anew. A request with
/// <c>!last</c> in it is its client's last; an answer with <c>!frozen</c> in it, or one that ends with 13, cannot be written anew.</summary>
internal struct UnplacedIdCodec : IXRpcCodec<UnplacedIdCodec>
{
    private PingPongCodec _inner;

    public static CodecTraits Traits { get; } = PingPongCodec.Traits with { Name = "unplaced", Id = null };

    public static Detection Detect(ReadOnlySpan<byte> first) => PingPongCodec.Detect(first);

    public static UnplacedIdCodec Start(Side from, CodecLimits limits) => new() { _inner = PingPongCodec.Start(from, limits) };

    public static string Describe(int fault) => PingPongCodec.Describe(fault);

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) => PingPongCodec.WriteLocalReply(request, reply, output);

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) => PingPongCodec.TryWriteControl(from, control, id, output);

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        ScanStatus status = _inner.Scan(input, ref head, out consumed);
        head.Flags |= head.Kind == FrameKind.Request && input[..consumed].IndexOf("!last"u8) >= 0 ? FrameFlags.LastOnConnection : FrameFlags.None;
        return status;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value) => _inner.TryMeta(frame, meta, out value);

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
        (frame.Head.Kind == FrameKind.Request || (frame.Bytes.IndexOf("!frozen"u8) < 0 && !frame.Bytes.EndsWith("13"u8))) && _inner.WriteEdited(frame, edit, output);
}

using System.Buffers;
using MeshL4.Samples.PingPong;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>
/// The sample codec, which throws where a frame says so: in Scan at <c>!scan</c> from a client and <c>!reply</c> from a server, at <c>!meta</c>
/// and <c>!edit</c> in what they are named after, where it answers <see cref="Unanswerable"/>, and whenever it is to ask for a sign of life.
/// </summary>
internal struct ThrowingCodec : IXRpcCodec<ThrowingCodec>
{
    /// <summary>Id of frames that no answer can be written for.</summary>
    public const uint Unanswerable = 666;

    private readonly Side _from;
    private PingPongCodec _inner;

    private ThrowingCodec(Side from, CodecLimits limits) => (_from, _inner) = (from, PingPongCodec.Start(from, limits));

    public static CodecTraits Traits { get; } = PingPongCodec.Traits with { Name = "throwing" };

    public static Detection Detect(ReadOnlySpan<byte> first) => Unless(first is [(byte)'!', ..], PingPongCodec.Detect(first));

    public static ThrowingCodec Start(Side from, CodecLimits limits) => new(from, limits);

    public static string Describe(int fault) => PingPongCodec.Describe(fault);

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output) =>
        Unless(request.Id == Unanswerable, PingPongCodec.WriteLocalReply(request, reply, output));

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) =>
        Unless(control == ControlFrame.Ping || id == Unanswerable, PingPongCodec.TryWriteControl(from, control, id, output));

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed) =>
        Unless(Has(input, _from == Side.Downstream ? "!scan"u8 : "!reply"u8), _inner.Scan(input, ref head, out consumed));

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value) =>
        Unless(Has(frame.Bytes, "!meta"u8), _inner.TryMeta(frame, meta, out value));

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) =>
        Unless(Has(frame.Bytes, "!edit"u8), _inner.WriteEdited(frame, edit, output));

    private static bool Has(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> mark) => bytes.IndexOf(mark) >= 0;

    private static T Unless<T>(bool throws, T result) => throws ? throw new NotSupportedException("a defect of the codec") : result;
}

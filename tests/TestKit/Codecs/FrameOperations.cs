using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.TestKit.Codecs;

/// <summary>What the runtime asks of a codec for every frame on the happy path, again and again for one frame: what benchmarks repeat.</summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
/// <param name="from">Who sends the frame.</param>
/// <param name="frame">All of it and nothing else.</param>
public sealed class FrameOperations<TCodec>(Side from, byte[] frame)
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly ArrayBufferWriter<byte> _output = new(frame.Length + 256);
    private TCodec _codec = TCodec.Start(from, CodecLimits.Default);
    private FrameHead _head;

    /// <summary>Scans the frame and reads its key, if it has one.</summary>
    /// <returns>Bytes taken and read.</returns>
    public int ScanWithKey()
    {
        _codec.Scan(frame, ref _head, out int consumed);
        return _codec.TryMeta(new FrameView(ref _head, frame, isWhole: true), TCodec.Traits.KeyMeta, out ReadOnlySpan<byte> key) ? consumed + key.Length : consumed;
    }

    /// <summary>Scans the frame and writes it anew.</summary>
    /// <param name="edit">What is to be otherwise.</param>
    /// <returns>Bytes written; 0 when the codec cannot write that.</returns>
    public int Edit(in HeadEdit edit)
    {
        _codec.Scan(frame, ref _head, out _);
        _output.ResetWrittenCount();
        return _codec.WriteEdited(new FrameView(ref _head, frame, isWhole: true), edit, _output) ? _output.WrittenCount : 0;
    }
}

using System.Buffers;

namespace MeshL4.XRpc.Contracts;

/// <summary>
/// A protocol as a pure description of bytes. One value is the scanning state of one direction of one connection.
/// An implementation owns no socket, allocates nothing per frame, does not recurse on input, and answers bad bytes
/// with <see cref="ScanStatus.Bad"/>, never with an exception.
/// </summary>
/// <typeparam name="TSelf">The implementing struct.</typeparam>
public interface IXRpcCodec<TSelf>
    where TSelf : struct, IXRpcCodec<TSelf>
{
    /// <summary>What is true of every connection of this protocol.</summary>
    static abstract CodecTraits Traits { get; }

    /// <summary>State at the first byte of a connection.</summary>
    /// <param name="from">Who sends the bytes.</param>
    static abstract TSelf Start(Side from);

    /// <summary>Words for a <see cref="FrameHead.Fault"/>: lower case, no client bytes.</summary>
    static abstract string Describe(int fault);

    /// <summary>
    /// Takes bytes of the current frame. Every byte is given once: after More the next call continues behind the last
    /// byte, so a body of any size passes through without being held.
    /// </summary>
    /// <param name="input">Bytes that follow those taken before; may be empty.</param>
    /// <param name="head">The current frame; the same variable for all calls of one frame.</param>
    /// <param name="consumed">Bytes taken; all of them unless Done or Bad.</param>
    ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed);
}

/// <summary>Scanning over segmented memory.</summary>
public static class CodecScanning
{
    /// <summary>As <see cref="IXRpcCodec{TSelf}.Scan"/>, over the segments of a sequence in turn.</summary>
    /// <param name="codec">State of the direction.</param>
    /// <param name="input">Bytes that follow those taken before.</param>
    /// <param name="head">The current frame.</param>
    /// <param name="consumed">Bytes taken.</param>
    public static ScanStatus Scan<TCodec>(this ref TCodec codec, in ReadOnlySequence<byte> input, ref FrameHead head, out long consumed)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        consumed = 0;
        foreach (ReadOnlyMemory<byte> segment in input)
        {
            ScanStatus status = codec.Scan(segment.Span, ref head, out int taken);
            consumed += taken;
            if (status != ScanStatus.More)
            {
                return status;
            }
        }

        return ScanStatus.More;
    }
}

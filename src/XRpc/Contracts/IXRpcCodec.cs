using System.Buffers;

namespace MeshL4.XRpc.Contracts;

/// <summary>Bounds that a codec enforces while it scans.</summary>
/// <param name="MaxHead">Bytes within which the head must be known. The runtime looks at <see cref="FrameHead.HeadLength"/>; a codec that can tell earlier says Bad.</param>
/// <param name="MaxFrame">Bytes of one frame.</param>
public readonly record struct CodecLimits(int MaxHead, long MaxFrame)
{
    /// <summary>16 KiB of head, frames as long as the protocol can declare.</summary>
    public static CodecLimits Default => new(16 * 1024, long.MaxValue);
}

/// <summary>
/// A protocol as a pure description of bytes. One value is the scanning state of one direction of one connection.
/// An implementation owns no socket, allocates nothing per frame, does not recurse on input, and answers bad bytes
/// with <see cref="ScanStatus.Bad"/>, never with an exception. Sockets, order, pools, time-outs, retries, limits and metrics are the
/// runtime's, which calls in this order: <see cref="Start"/> once, then for every frame <see cref="Scan"/> until Done, and behind Head
/// or Done, before the next Scan, any of the others.
/// </summary>
/// <typeparam name="TSelf">The implementing struct.</typeparam>
public interface IXRpcCodec<TSelf>
    where TSelf : struct, IXRpcCodec<TSelf>
{
    /// <summary>What is true of every connection of this protocol.</summary>
    static abstract CodecTraits Traits { get; }

    /// <summary>Whether the first bytes of a connection's first speaker are this protocol's. Looks, takes nothing.</summary>
    /// <param name="first">From the connection's first byte; may be empty.</param>
    static abstract Detection Detect(ReadOnlySpan<byte> first);

    /// <summary>State at the first byte of a connection.</summary>
    /// <param name="from">Who sends the bytes.</param>
    /// <param name="limits">Bounds beyond which the scanner says Bad.</param>
    static abstract TSelf Start(Side from, CodecLimits limits);

    /// <summary>Words for a <see cref="FrameHead.Fault"/>: lower case, no client bytes.</summary>
    /// <param name="fault">The reason.</param>
    static abstract string Describe(int fault);

    /// <summary>
    /// Takes bytes of the current frame. Every byte is given once: after More and Head the next call continues behind the last
    /// byte taken, so a body of any size passes through without being held.
    /// </summary>
    /// <param name="input">Bytes that follow those taken before; may be empty.</param>
    /// <param name="head">The current frame; the same variable for all calls of one frame.</param>
    /// <param name="consumed">Bytes taken; all of them unless Done or Bad.</param>
    ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed);

    /// <summary>
    /// A metadata value of the frame that was scanned last, as bytes inside it; where the frame has it in other words (in quotes), in a buffer
    /// of the codec's that lasts until its next call. Never longer than the frame. Total: whatever the bytes are, it answers or says no.
    /// </summary>
    /// <param name="frame">The frame: up to Head for tiers 0 and 1, whole for tier 2.</param>
    /// <param name="meta">Index in <see cref="CodecTraits.Meta"/>.</param>
    /// <param name="value">The value.</param>
    bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value);

    /// <summary>
    /// Writes all bytes of the view with some things changed; the length may change. Bytes of the frame behind the view follow as
    /// they are, so everything that depends on the edit, such as a length in the head, is to be written here. Not called
    /// for an id that <see cref="CodecTraits.IdIn"/> tells the place of, when nothing else changes.
    /// </summary>
    /// <param name="frame">The frame that was scanned last.</param>
    /// <param name="edit">What to change.</param>
    /// <param name="output">Where to.</param>
    /// <returns>
    /// False when this frame cannot be changed so; nothing was written then. The request is answered with an error, or its answer replaced by one.
    /// </returns>
    bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output);

    /// <summary>
    /// Writes the proxy's own answer to a request, as a server of the protocol would tell it. Only what the head holds of the request is
    /// left by then, and the bytes that <see cref="CodecTraits.ReplySeedBytes"/> asks for.
    /// </summary>
    /// <param name="request">Kind, flags, method, id and seed of the request.</param>
    /// <param name="reply">Why there is no other answer, and the beginning of the request where the traits ask for it.</param>
    /// <param name="output">Where to.</param>
    /// <returns>False when the request gets no answer (one-way); nothing was written then.</returns>
    static abstract bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output);

    /// <summary>Writes a frame that serves the connection only.</summary>
    /// <param name="from">Who sends it: a client or a server.</param>
    /// <param name="control">Which.</param>
    /// <param name="id">Its id: that of the Ping for a Pong, else one the runtime made.</param>
    /// <param name="output">Where to.</param>
    /// <returns>False when the protocol has no such frame; nothing was written then.</returns>
    static virtual bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) => false;
}

/// <summary>Scanning over segmented memory.</summary>
public static class CodecScanning
{
    /// <summary>As <see cref="IXRpcCodec{TSelf}.Scan"/>, over the segments of a sequence in turn.</summary>
    /// <param name="codec">State of the direction.</param>
    /// <param name="input">Bytes that follow those taken before.</param>
    /// <param name="head">The current frame.</param>
    /// <param name="consumed">Bytes taken.</param>
    /// <returns>Head, when the codec said it in any segment and the frame goes on.</returns>
    public static ScanStatus Scan<TCodec>(this ref TCodec codec, in ReadOnlySequence<byte> input, ref FrameHead head, out long consumed)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        consumed = 0;
        ScanStatus last = ScanStatus.More;
        foreach (ReadOnlyMemory<byte> segment in input)
        {
            ScanStatus status = codec.Scan(segment.Span, ref head, out int taken);
            consumed += taken;
            if (status is ScanStatus.Done or ScanStatus.Bad)
            {
                return status;
            }

            last = status == ScanStatus.Head ? status : last;
        }

        return last;
    }
}

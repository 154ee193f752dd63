namespace MeshL4.XRpc.Contracts;

/// <summary>
/// Forwards every request by its key metadata and its own flags: all that most protocols need. One with <see cref="FrameFlags.LastOnConnection"/> goes on a connection
/// of its own, which is closed behind its answer, or behind its sending when it has none: its server may close it, and others' requests would be there. In a
/// multiplexed protocol it does not wait for answers due on shared connections (some are streams without an end): the client gets those too before its
/// connection ends, in any order.
/// </summary>
/// <typeparam name="TCodec">The protocol.</typeparam>
public sealed class ForwardingConversation<TCodec> : Conversation<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <inheritdoc/>
    public override Decision OnRequest(ref TCodec codec, in FrameView frame, IExchange exchange)
    {
        if (frame.Head.Kind == FrameKind.Empty)
        {
            return Decision.Dropped;
        }

        if ((frame.Head.Flags & FrameFlags.Quiet) != 0)
        {
            // An answer that may come or not cannot be paired with requests.
            return Decision.Refuse(LocalReplyReason.Unsupported);
        }

        ForwardFlags flags = Flags(frame.Head.Flags);
        int key = TCodec.Traits.KeyMeta;
        return key >= 0 && codec.TryMeta(frame, key, out ReadOnlySpan<byte> value) && frame.Bytes.Overlaps(value, out int offset)
            ? Decision.Forward(offset, value.Length, flags)
            : Decision.Forward(flags: flags);
    }

    private static ForwardFlags Flags(FrameFlags frame)
    {
        if (frame == FrameFlags.None)
        {
            return ForwardFlags.None;
        }

        ForwardFlags flags = ForwardFlags.None;
        flags |= (frame & FrameFlags.Pin) != 0 ? ForwardFlags.Pin : 0;
        flags |= (frame & FrameFlags.Unpin) != 0 ? ForwardFlags.Unpin : 0;
        flags |= (frame & FrameFlags.ReadOnly) != 0 ? ForwardFlags.ReadOnly : 0;
        flags |= (frame & FrameFlags.Idempotent) != 0 ? ForwardFlags.Idempotent : 0;
        flags |= (frame & FrameFlags.Blocking) != 0 ? ForwardFlags.NoTimeout : 0;
        flags |= (frame & FrameFlags.LastOnConnection) != 0 ? ForwardFlags.Last | ForwardFlags.PinOnce : 0;
        return flags;
    }
}

using MeshL4.L4Proxy.Upstream.Pools;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>
/// Streams of a multiplexed protocol: answers in parts, which may never end. They are in flight, and nothing that waits for answers waits for them.
/// </content>
internal sealed partial class XRpcSession<TCodec>
{
    private int _streams;

    /// <summary>
    /// Requests whose answers count for what may be held: not streams, whose size says nothing and whose servers are not read when the client does not
    /// take what there is.
    /// </summary>
    private int AnswersDue => IsOrdered ? InFlight : InFlight - _streams;

    /// <summary>A part of an answer came that is not its end: the answer is a stream, if it was not known to be.</summary>
    public void StreamWentOn(ref Pending<TCodec> pending, long length)
    {
        ExpectLike(length);
        if (!pending.Has(PendingFlags.Stream))
        {
            pending.Flags |= PendingFlags.Stream;
            _streams++;
        }

        GoOnWhenRoom();
    }

    private void EndStream(in Pending<TCodec> pending)
    {
        if (!IsOrdered && pending.Has(PendingFlags.Stream))
        {
            _streams--;
        }
    }

    /// <summary>
    /// The guess of what answers take stops no client for good that has taken all it was given: the answers due may be small, or may not come before the
    /// client has said more. With every look at the clock it is half of what it was.
    /// </summary>
    private void ExpectLess()
    {
        if (!IsOrdered && Backlog == 0 && WaitsForRoom)
        {
            _expectedReply /= 2;
            GoOnWhenRoom();
        }
    }

    /// <summary>Requests stay unread, or unsent behind a delay, until answers leave.</summary>
    private bool WaitsForRoom => _pause == Pause.Room || _due is { Count: > 0 };

    private void GoOnWhenRoom()
    {
        if (WaitsForRoom && HasRoom)
        {
            _owner.Attend(this);
        }
    }
}

using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <content>Frames of the server that belong to no request, and the end of a connection that takes no requests any more.</content>
internal abstract partial class UpstreamLink<TCodec>
{
    /// <summary>Pongs that wait for the end of a request; a server that asks on meanwhile is answered so often at most.</summary>
    private const int MostPongsDue = 16;

    private List<ulong>? _pongsDue;

    /// <summary>Takes no new request, whoever has it, and closes when what is due was answered.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>No request may follow those that were sent.</summary>
    public void TakeNoMore() => IsEnding = IsDraining = true;

    /// <summary>Closes when nothing is due, and nothing is left to be sent. What relays is ended by either side.</summary>
    public void CloseWhenDone()
    {
        if (State == LinkState.Open && InFlight == 0 && !IsRelaying && !IsAmidRequest)
        {
            Flush();
            if (Output.IsEmpty)
            {
                Close(LocalReplyReason.UpstreamClosed, reset: false);
            }
        }
    }

    /// <summary>A request that was passed on while it came is whole: what has to stand behind it follows.</summary>
    public void RestSent()
    {
        foreach (ulong id in _pongsDue ?? [])
        {
            WritePong(id);
        }

        _pongsDue = null;
    }

    /// <summary>Whether a frame belongs to a request; all others are the connection's own.</summary>
    protected static bool IsAnswer(FrameKind kind) => kind is not (FrameKind.Ping or FrameKind.GoAway or FrameKind.Pong or FrameKind.Empty or FrameKind.Push);

    /// <summary>Does what a whole frame asks for that belongs to no request.</summary>
    protected void TakeControl()
    {
        switch (Reply.Kind)
        {
            case FrameKind.GoAway:
                TakeNoMore();
                break;
            case FrameKind.Push:
                Interlocked.Increment(ref Cluster.State.Counters.PushDropped);
                break;
            case FrameKind.Ping when !IsAmidRequest:
                WritePong(Reply.Id);
                break;
            case FrameKind.Ping when (_pongsDue ??= []).Count < MostPongsDue:
                _pongsDue.Add(Reply.Id);
                break;
        }
    }

    /// <summary>The last bytes for the server are not the end of a frame.</summary>
    private bool IsAmidRequest => PinnedTo is { } client && client.IsSendingTo(this);

    private void WritePong(ulong id)
    {
        // A server that asks and does not read is not answered.
        if (Output.Length < HighWatermark && TCodec.TryWriteControl(Side.Downstream, ControlFrame.Pong, id, Output))
        {
            MarkDirty();
        }
    }
}

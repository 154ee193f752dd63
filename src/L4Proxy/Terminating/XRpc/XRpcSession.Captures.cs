namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Answers that are held whole, to be looked at or merged: their bytes count in the bounds of client and loop.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>Bytes of answers that are held to be looked at or merged.</summary>
    private long _captured;

    /// <summary>Bytes of the copies of its requests in flight that are kept for another try.</summary>
    private long _copies;

    /// <summary>
    /// Whether there is room for the copy of a request: with what else is held for this client, and with what is held for all in half of what
    /// the loop may hold, so that no client is closed for the copies of others.
    /// </summary>
    private bool HasRoomForCopy(int bytes) => _copies + Backlog + bytes <= Proxy.Limits.MaxBufferedBytes && _owner.Backlog + bytes <= _owner.MostBacklog / 2;

    /// <summary>Counts the copy of a request, where there is room for it.</summary>
    public bool TryCountCopy(int bytes)
    {
        bool fits = HasRoomForCopy(bytes);
        if (fits)
        {
            _copies += bytes;
            _owner.Backlog += bytes;
        }

        return fits;
    }

    /// <summary>A copy is kept no longer; it may outlast its client, in the place of the answer.</summary>
    public void UncountCopy(int bytes)
    {
        _copies -= bytes;
        _owner.Backlog -= bytes;
    }

    /// <summary>Holds more of an answer that is to be looked at or merged.</summary>
    public void Capture(RequestState<TCodec> state, ReadOnlySpan<byte> bytes)
    {
        int before = state.ReplyLength;
        state.Capture(bytes, MaxCapture);
        state.Counted += state.ReplyLength - before;
        _captured += state.ReplyLength - before;
        CountBacklog();
    }

    /// <summary>What was held of an answer is passed on or dropped.</summary>
    private void Uncapture(RequestState<TCodec> state)
    {
        if (!_completed && state.Counted > 0)
        {
            _captured -= state.Counted;
            CountBacklog();
        }

        state.Counted = 0;
    }

    private void Uncapture(SplitRequest<TCodec> split)
    {
        for (int i = 0; i < split.Count; i++)
        {
            Uncapture(split.Fragments[i]);
        }
    }

    private void GiveBack(RequestState<TCodec> state)
    {
        Uncapture(state);
        _owner.States.Return(state);
    }

    private void GiveBack(SplitRequest<TCodec> split)
    {
        Uncapture(split);
        _owner.States.Return(split);
    }
}

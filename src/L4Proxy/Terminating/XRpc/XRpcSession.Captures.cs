namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Answers that are held whole, to be looked at or merged: their bytes count in the bounds of client and loop.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>Bytes of answers that are held to be looked at or merged.</summary>
    private long _captured;

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

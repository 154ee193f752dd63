using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>What a conversation asks on the connection that a request is to have, before that goes.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>It is due: in flight, and no request of the client's.</summary>
    private bool _asksAhead;

    /// <summary>Sends it alone; the frame is handled again when it was answered, and nothing behind it before.</summary>
    private bool SendAhead(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> link)
    {
        if (!link.TryReserve(out _))
        {
            return AnswerLocally(frame, LocalReplyReason.Overflow);
        }

        link.Output.Append(_owner.Exchange.BeforeBytes);
        link.MarkDirty();
        link.LastUsedMs = _owner.Loop.NowMilliseconds;
        link.Add() = new Pending<TCodec>
        {
            Session = this,
            State = RentState(frame, decision, route, link, observes: true),
            SentAt = _now,
            Id = frame.Head.Id,
            Seed = frame.Head.ReplySeed,
            TimeoutMs = TimeoutOf(route, decision),
            Sequence = TakeSequence(),
            Method = (ushort)frame.Head.Method,
            Flags = PendingFlags.Ahead | TimingOf(route),
        };
        _asksAhead = true;
        _pause = Pause.Quiet;
        return false;
    }
}

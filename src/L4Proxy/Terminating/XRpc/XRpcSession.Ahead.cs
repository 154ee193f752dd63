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

        if (IsRefusedAhead(decision, route))
        {
            Unpin(link, reusable: true);
            return Handle(frame);
        }

        // The request that it was taken for may be refused yet: it is not as new any more.
        _pinnedUnused = false;
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

    /// <summary>
    /// What is asked ahead meets the rules, rejections and aborts that it would meet as a request on the client's own connection. The error of one that refuses it takes
    /// the place of its server's answer: the conversation is shown it, and is asked again.
    /// </summary>
    private bool IsRefusedAhead(in Decision decision, XRpcRouteSnapshot route)
    {
        XRpcRouteTable table = Proxy.Routes.Current;
        if (route.Policies.IsPlain && table.Conditional.IsEmpty)
        {
            return false;
        }

        FrameHead head = default;
        TCodec codec = TCodec.Start(Side.Downstream, new CodecLimits(_mostHead, Proxy.Limits.MaxFrameBytes ?? CodecLimits.Default.MaxFrame));
        if (codec.Scan(_owner.Exchange.BeforeBytes, ref head, out _) != ScanStatus.Done)
        {
            return false;
        }

        var asked = new FrameView(in head, _owner.Exchange.BeforeBytes, isWhole: true);
        XRpcRouteSnapshot own = RouteFinder.FindConditional(table, codec, asked, default) ?? route;
        (LocalReplyReason reason, string? words) = (LocalReplyReason.Configured, own.RejectMessage);
        if (words is null && !(Allows(own, asked, default) && Allows(route, asked, default)))
        {
            reason = LocalReplyReason.Denied;
            _stats.Denied++;
        }
        else if (words is null && FaultOf(asked, own.Policies) is { AbortMessage: { } message })
        {
            words = message;
            _stats.AbortFaults++;
        }

        if ((reason == LocalReplyReason.Configured && words is null) || !TryWriteError(asked, reason, words, out ReadOnlySpan<byte> bytes))
        {
            return false;
        }

        FrameHead error = new() { Kind = FrameKind.ErrorResponse, Length = bytes.Length, Replies = 1 };
        _conversation.OnReply(decision.Tag, new FrameView(in error, bytes, isWhole: true), _owner.Exchange.For(this));
        return true;
    }
}

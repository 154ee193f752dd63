using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>What becomes of one frame of the client.</content>
internal sealed partial class XRpcSession<TCodec>
{
    private const ForwardFlags OwnConnection = ForwardFlags.Pin | ForwardFlags.PinOnce | ForwardFlags.Relay;

    private readonly bool _hashTags;

    /// <summary>The policies said yes to the current frame already, before it had to wait.</summary>
    private bool _admitted;

    /// <summary>They said yes before a delay, and no copies of the frame were sent yet.</summary>
    private bool _owesCopies;

    /// <summary>Deals with a frame; false when it has to wait, and will be handled again.</summary>
    private bool Handle(in FrameView frame)
    {
        if ((frame.Head.Kind != FrameKind.Request || (uint)frame.Head.Replies > 1) && !IsServed(frame.Head))
        {
            return TakeOther(frame);
        }

        // A heartbeat is answered too, and its answer takes room like any other.
        if (!HasRoom && !IsRelaying)
        {
            _pause = Pause.Room;
            return false;
        }

        if (frame.Head.Kind == FrameKind.Ping)
        {
            return AnswerHeartbeat(frame.Head);
        }

        SessionExchange<TCodec> exchange = _owner.Exchange.For(this);
        exchange.Consider(_codec, frame);
        Decision decision = _conversation.OnRequest(ref _codec, frame, exchange);
        bool dealt = decision.Act switch
        {
            not (Act.Forward or Act.NeedWhole) when exchange.Rejecting is { } rejecting && !IsSilence(decision) => Reject(frame, rejecting),
            Act.Forward => Forward(frame, decision),
            Act.Answer => AnswerWritten(frame, decision),
            Act.NeedWhole => AskForWhole(frame),
            Act.Split => Split(frame, decision),
            Act.Refuse when exchange.Lacking is { } lacking => AnswerLacking(frame, lacking),
            Act.Refuse => AnswerLocally(frame, decision.Reason),
            Act.NeedQuiet => AwaitQuiet(frame),
            _ => true,
        };
        (_asked, _tried) = (null, null);
        if (dealt)
        {
            _admitted = _owesCopies = false;
            (_cameAt, _requestFlags, _pinFailed) = (0, ResponseFlags.None, false);
        }
        else if (_cameAt == 0)
        {
            _cameAt = _now;
        }

        return dealt;
    }

    /// <summary>Who wants no answer gets that of a route that rejects no more than another.</summary>
    private bool IsSilence(in Decision decision) => decision.Act == Act.Answer && _owner.Exchange.AnswerBytes.IsEmpty;

    private bool Reject(in FrameView frame, XRpcRouteSnapshot route)
    {
        _asked = route;
        return AnswerLocally(frame, LocalReplyReason.Configured, route.RejectMessage);
    }

    private bool AnswerLacking(in FrameView frame, in Target lacking)
    {
        (_asked, _tried) = (lacking.Route, lacking.Absent);
        return AnswerLocally(frame, LocalReplyReason.NoHealthyUpstream);
    }

    /// <summary>Besides requests with one answer or none: heartbeats, and streams where ids tell them apart.</summary>
    private static bool IsServed(in FrameHead head) =>
        head.Kind == FrameKind.Ping || (head is { Kind: FrameKind.Request, Replies: FrameHead.UntilEnd } && !IsOrdered);

    /// <summary>A frame that asks for nothing; one that the runtime does nothing with ends the connection by its name. Always true.</summary>
    private bool TakeOther(in FrameView frame)
    {
        ref readonly FrameHead head = ref frame.Head;
        _stopReading |= head.Kind == FrameKind.GoAway;
        if (head.Kind is not (FrameKind.GoAway or FrameKind.Pong or FrameKind.Empty))
        {
            string what = head.Kind != FrameKind.Request ? $"frame_{head.Kind}" : head.Replies == FrameHead.UntilEnd ? "replies_until_end" : "several_replies";
            Record.Fail(ResponseFlags.DPE, EndedBy.Proxy, $"{TCodec.Traits.Name}_unsupported_{what}");
            Refuse(LocalReplyReason.Unsupported, null, frame.Bytes);
        }

        return true;
    }

    /// <summary>Always true. It is no request, and counted as none.</summary>
    private bool AnswerHeartbeat(in FrameHead head)
    {
        ScratchWriter pong = _owner.Local;
        pong.Clear();
        if (TCodec.TryWriteControl(Side.Upstream, ControlFrame.Pong, head.Id, pong))
        {
            GiveWhole(pong.Written, TakeSequence());
        }

        return true;
    }

    /// <summary>True for a frame that cannot get any more whole: it is refused. Else it is handled again when it is.</summary>
    private bool AskForWhole(in FrameView frame)
    {
        if (frame.IsWhole)
        {
            return AnswerLocally(frame, LocalReplyReason.Unsupported);
        }

        _askedForWhole = true;
        return true;
    }

    /// <summary>False: the frame is handled again when all before it were answered. Where nothing is due there is nothing to wait for, and it is refused.</summary>
    private bool AwaitQuiet(in FrameView frame)
    {
        PauseUntilQuiet();
        return _pause != Pause.Quiet && AnswerLocally(frame, LocalReplyReason.Unsupported);
    }

    private bool AnswerWritten(in FrameView frame, in Decision decision)
    {
        ReadOnlySpan<byte> answer = _owner.Exchange.AnswerBytes;
        bool isError = IsError(answer);
        if (IsRelaying)
        {
            SayLast(answer);
        }
        else
        {
            _stats.Asked(frame.Head.Method);
            AnswerBytes(answer, TakeSequence(), frame.Head.Method, isError);
        }

        LogHere(frame.Head.Method, isError ? RequestOutcome.Error : RequestOutcome.Response, ResponseFlags.None);

        if ((decision.Flags & ForwardFlags.Last) != 0)
        {
            EndBehindAnswer(answer, isError);
        }

        return true;
    }

    /// <summary>What kind of answer a conversation wrote, as a client would read it.</summary>
    private static bool IsError(ReadOnlySpan<byte> answer)
    {
        TCodec reader = TCodec.Start(Side.Upstream, CodecLimits.Default);
        FrameHead head = default;
        return !answer.IsEmpty && reader.Scan(answer, ref head, out _) == ScanStatus.Done && head.Kind == FrameKind.ErrorResponse;
    }

    private bool Forward(in FrameView frame, in Decision decision)
    {
        ReadOnlySpan<byte> key = frame.Bytes.Slice(decision.KeyOffset, decision.KeyLength);
        Target target = default;
        XRpcRouteSnapshot? route;
        if (decision.TargetPlusOne > 0)
        {
            target = _owner.Exchange.TargetAt(decision.TargetPlusOne - 1);
            route = target.Route;
        }
        else
        {
            route = (decision.Flags & ForwardFlags.Own) != 0 && IsPinned
                ? OwnRoute(frame)
                : RouteFinder.Find(Proxy.Routes.Current, _codec, frame, key);
            if (route is null && (decision.Flags & ForwardFlags.OnlyServer) != 0 && _owner.Exchange.AllTargets() == 1)
            {
                target = _owner.Exchange.TargetAt(0);
                route = target.Route;
            }
        }

        _asked = route;
        if (route is null || route.RejectMessage is not null)
        {
            return AnswerLocally(frame, route is null ? LocalReplyReason.NoRoute : LocalReplyReason.Configured, route?.RejectMessage);
        }

        if ((!route.Policies.IsPlain || IsPinned || _owner.Exchange.Policies.AreOfSeveralRoutes || _owner.Exchange.KeyCount > 0 || (decision.Flags & ForwardFlags.AllKeys) != 0)
            && !MayPass(frame, decision, route, key, _admitted || IsAllowed(route, frame, key, decision, target), out bool wait))
        {
            return !wait;
        }

        if (_pinned is { IsRelaying: true } relay)
        {
            return ForwardRelayed(frame, decision, route, relay);
        }

        if (!TryLink(frame, decision, route, HashKey(frame, route, key), target, out UpstreamLink<TCodec>? link))
        {
            return false;
        }

        return link is null
            ? AnswerNoLink(frame)
            : Send(frame, decision, route, link);
    }

    /// <summary>What chooses among a cluster's servers: the metadata that the route names, else the key.</summary>
    private ReadOnlySpan<byte> HashKey(in FrameView frame, XRpcRouteSnapshot route, ReadOnlySpan<byte> key)
    {
        if (route.HashBy is null)
        {
            return key;
        }

        int meta = TCodec.Traits.FindMeta(route.HashBy);
        return meta >= 0 && _codec.TryMeta(frame, meta, out ReadOnlySpan<byte> value) ? value : default;
    }

    private bool ForwardRelayed(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> relay)
    {
        if (relay.MustWait(this))
        {
            _pause = Pause.Upstream;
            return false;
        }

        if (!TryEdit(frame, decision, route, 0, out ReadOnlySpan<byte> bytes, out _))
        {
            return AnswerLocally(frame, LocalReplyReason.Unsupported);
        }

        relay.Output.Append(bytes);
        relay.MarkDirty();
        _stats.Asked(frame.Head.Method);
        _stats.RequestsEnded++;
        LogSent(frame.Head.Method, relay);
        _streaming = frame.IsWhole ? null : relay;
        _conversation.OnSent(decision, _owner.Exchange);
        if ((decision.Flags & ForwardFlags.Last) != 0)
        {
            _stopReading = _awaitsServersEnd = true;
        }
        else if ((decision.Flags & ForwardFlags.Wait) != 0)
        {
            _pause = Pause.Relay;
        }

        return true;
    }

    private LocalReplyReason _linkFailure;

    /// <summary>The limit at which there is no connection, in the words of an error.</summary>
    private string? _linkLimit;

    /// <summary>Finds the connection. False when the frame has to wait; true with none when there is none to be had.</summary>
    private bool TryLink(
        in FrameView frame, in Decision decision, XRpcRouteSnapshot route, ReadOnlySpan<byte> key, in Target target, out UpstreamLink<TCodec>? link)
    {
        link = _pinned;
        (_tried, _linkLimit) = (link?.Cluster.Name, null);
        bool own = (decision.Flags & OwnConnection) != 0 || !frame.IsWhole || IsOneByOne;
        if (link is null && InFlight > 0 && ((own && IsOrdered) || (decision.Flags & ForwardFlags.Quiet) != 0))
        {
            _pause = Pause.Quiet;
            return false;
        }

        if (_pinFailed)
        {
            (_pinFailed, _answersPin, link, _tried) = (false, true, null, _pinFailedAt);
            return true;
        }

        if (link is { IsEnding: true })
        {
            // Its state is there, and its server takes nothing new: it closes behind the answers due, and the client with it.
            PauseUntilQuiet();
            (link, _linkFailure) = (null, LocalReplyReason.UpstreamClosed);
            return _pause != Pause.Quiet;
        }

        if (link is null && !TryUnpinned(decision, route, key, target, own, out link))
        {
            return false;
        }

        if (link is { State: LinkState.Closed } closed)
        {
            (link, _linkFailure, _linkLimit) = (null, FailureOf(closed), closed.RefusedFor);
        }

        if (link is { IsReady: false } && (decision.Flags & ForwardFlags.Relay) != 0)
        {
            // Where answers are not paired with requests nothing would tell which of them to answer for a connection that fails.
            link.TellWhenReady(this);
            _pause = Pause.Upstream;
            return false;
        }

        if (link is not null && link.MustWait(this))
        {
            _pause = Pause.Upstream;
            return false;
        }

        return true;
    }

    /// <summary>Why a connection that was just asked for is closed.</summary>
    private static LocalReplyReason FailureOf(UpstreamLink<TCodec> link) => link.RefusedFor is null ? LocalReplyReason.ConnectFailed : LocalReplyReason.Overflow;

    private bool TryUnpinned(
        in Decision decision, XRpcRouteSnapshot route, ReadOnlySpan<byte> key, in Target target, bool own, out UpstreamLink<TCodec>? link)
    {
        link = null;
        _linkFailure = LocalReplyReason.NoHealthyUpstream;
        bool home = (decision.Flags & ForwardFlags.Home) != 0;
        _tried = target.ClusterName ?? (home ? HomeClusterOf(route) : ClusterOf(route, (decision.Flags & ForwardFlags.ReadOnly) != 0));
        int at = target.ClusterName is not null ? BindTo(target)
            : home ? BindHome(route, _tried, decision.KeyLength > 0 ? key : default)
            : Bind(_tried, key);
        if (at < 0)
        {
            return true;
        }

        if (!own)
        {
            link = SharedLink(at);
            return link is not null && (!_bindings[at].IsLimited || IsCounted(at, ref link));
        }

        bool forOne = (decision.Flags & (ForwardFlags.Pin | ForwardFlags.Relay)) == 0;
        link = PrivateLink(_bindings[at], forOne);
        (_pinnedRoute, _pinnedTable) = (route, Proxy.Routes.Current);
        (_linkFailure, _linkLimit) = (LocalReplyReason.Overflow, link is null ? UpstreamLimit.Pinned : null);
        if (_bindings[at].IsLimited && link is { State: not LinkState.Closed } borrowed && IsCounted(at, ref link) && link is null)
        {
            Unpin(borrowed, reusable: true);
        }

        return true;
    }

    /// <summary>Asks the circuit breaker of a cluster with a limit. Always true: without a place there the request is answered.</summary>
    private bool IsCounted(int at, ref UpstreamLink<TCodec>? link)
    {
        if (!link!.TryCount(_bindings[at].Cluster.Limits))
        {
            (link, _linkFailure) = (null, LocalReplyReason.Overflow);
        }

        return true;
    }

    /// <summary>Appends the frame to a connection and notes what is due.</summary>
    private bool Send(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> link)
    {
        if ((decision.Flags & ForwardFlags.Ahead) != 0)
        {
            return SendAhead(frame, decision, route, link);
        }

        if (decision.HiddenReplies > 0)
        {
            link.Output.Append(_owner.Exchange.BeforeBytes);
            for (int i = 0; i < decision.HiddenReplies; i++)
            {
                link.Add() = new Pending<TCodec> { Session = this, Flags = PendingFlags.Hidden | TimingOf(route), SentAt = _now, TimeoutMs = TimeoutOf(route, decision) };
            }
        }

        if (!link.TryReserve(out ulong id))
        {
            return AnswerLocally(frame, LocalReplyReason.Overflow);
        }

        RequestState<TCodec>? state = StateFor(frame, decision, route, link);
        if (!Write(frame, decision, route, link, id, state))
        {
            if (state is not null)
            {
                _owner.States.Return(state);
            }

            return AnswerLocally(frame, LocalReplyReason.Unsupported);
        }

        _lastFailure = null;
        _pinnedUnused = false;
        link.MarkDirty();
        link.LastUsedMs = _owner.Loop.NowMilliseconds;
        _stats.Asked(frame.Head.Method);
        if ((decision.Flags & ForwardFlags.Relay) != 0)
        {
            link.IsRelaying = true;
            _stats.RequestsEnded++;
            LogSent(frame.Head.Method, link);
        }
        else if (frame.Head.Replies == 0)
        {
            _oneWayAtMs = link.LastUsedMs;
            _stats.RequestsEnded++;
            LogSent(frame.Head.Method, link);
        }
        else
        {
            Expect(frame, decision, route, link, state, id);
        }

        _streaming = frame.IsWhole ? null : link;
        _streamed = frame.IsWhole || frame.Head.Replies == 0 ? null : _nextSequence - 1;
        AfterSending(decision, link);
        return true;
    }

    private void Expect(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> link, RequestState<TCodec>? state, ulong id)
    {
        ref readonly FrameHead head = ref frame.Head;
        ref Pending<TCodec> pending = ref link.Add();
        pending.Session = this;
        pending.State = state;
        pending.SentAt = _now;
        pending.Id = head.Id;
        pending.Seed = head.ReplySeed;
        pending.TimeoutMs = TimeoutOf(route, decision);
        pending.Sequence = TakeSequence();
        pending.Method = (ushort)head.Method;
        pending.Flags = TimingOf(route);
        if (decision.Flags != ForwardFlags.None || _pinnedForOne || head.Replies != 1)
        {
            // Where answers come in any order the end of a long frame gives its connection back, and its client may have another by the time of the answer.
            bool unpin = (decision.Flags & ForwardFlags.Unpin) != 0 || (_pinnedForOne && _pinned == link && (frame.IsWhole || IsOrdered));
            pending.Flags |= unpin ? PendingFlags.Unpin : 0;
            pending.Flags |= head.Replies == FrameHead.UntilEnd ? PendingFlags.Stream : 0;
            _streams += head.Replies == FrameHead.UntilEnd ? 1 : 0;
            pending.Flags |= (decision.Flags & ForwardFlags.Idempotent) != 0 ? PendingFlags.Idempotent : 0;
            pending.Flags |= (decision.Flags & ForwardFlags.NoTimeout) != 0 ? PendingFlags.Blocking : 0;
            if (state is { IsHedged: true })
            {
                BeginRace(ref pending, link, id, route.Policies.Hedge!);
            }
            else if (state is { KeepsRequest: true } && route.Policies.Retry is { Retries: > 0 } retry && !pending.Has(PendingFlags.Blocking))
            {
                // Also where there was no room to keep it: its one try has the time of a try.
                pending.TimeoutMs = TryTimeoutOf(retry, pending.TimeoutMs);
            }
        }
    }

    private void AfterSending(in Decision decision, UpstreamLink<TCodec> link)
    {
        _conversation.OnSent(decision, _owner.Exchange);
        _stopReading |= (decision.Flags & ForwardFlags.Last) != 0 && SaysLastOn(link);
        bool waits = (decision.Flags & (ForwardFlags.Wait | ForwardFlags.Unpin)) != 0 || (_pinnedForOne && _pinned == link && IsOrdered);
        if (waits && InFlight > 0 && _streaming is null)
        {
            _pause = Pause.Quiet;
        }
        else if (_pinnedForOne && _pinned == link && link.InFlight == 0 && _streaming is null)
        {
            // No answer will come that gives the connection back.
            Unpin(link, reusable: true);
        }
    }

    private uint TakeSequence()
    {
        InFlight++;
        return _nextSequence++;
    }

    /// <summary>A try has its own time where one is configured, and never more than is left for all; 0 is without end.</summary>
    private static int TryTimeoutOf(XRpcRetrySnapshot retry, int left)
    {
        int each = (int)Math.Min(Math.Ceiling(retry.PerTryTimeout.TotalMilliseconds), int.MaxValue);
        return each > 0 && (left == 0 || each < left) ? each : left;
    }

    /// <summary>How the time of a route's requests counts where answers come in order.</summary>
    private static PendingFlags TimingOf(XRpcRouteSnapshot route) => route.Policies.TimeoutPerAnswer ? PendingFlags.PerAnswer : PendingFlags.None;

    private static int TimeoutOf(XRpcRouteSnapshot route, in Decision decision) =>
        (decision.Flags & ForwardFlags.NoTimeout) != 0 ? 0 : (int)Math.Min(Math.Ceiling(route.Policies.Timeout.TotalMilliseconds), int.MaxValue);
}

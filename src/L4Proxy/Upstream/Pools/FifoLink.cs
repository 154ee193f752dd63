using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <summary>A connection that answers in the order it was asked: the oldest request in a ring is the one being answered.</summary>
internal sealed class FifoLink<TCodec> : UpstreamLink<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly PendingRing<TCodec> _ring = new();

    /// <summary>Bytes of a frame whose head is not known: it may be no answer, and is held until that shows.</summary>
    private int _scanned;

    /// <summary>A frame goes on whose head is known: its bytes are taken as they come.</summary>
    private bool _headKnown;

    /// <summary>The frame that is held began when nobody was due an answer.</summary>
    private bool _isUnasked;

    /// <summary>Stopwatch ticks of when a request was answered that blocks those behind it; 0 for never.</summary>
    private long _unblockedAt;

    public FifoLink(XRpcLoop<TCodec> owner, UpstreamPool<TCodec> pool, ClusterSnapshot cluster, EndpointSnapshot endpoint, ConnectionProfile profile)
        : base(owner, pool, cluster, endpoint, profile)
    {
    }

    public override int InFlight => _ring.Count;

    protected override bool IsFull => _ring.IsFull;

    public override bool HasOthersThan(XRpcSession<TCodec>? client)
    {
        for (int i = 0; i < _ring.Count; i++)
        {
            if (_ring[i].Session is { IsClosed: false } session && session != client)
            {
                return true;
            }
        }

        return false;
    }

    public override bool IsBlocked
    {
        get
        {
            for (int i = 0; i < _ring.Count; i++)
            {
                if (_ring[i].Has(PendingFlags.Blocking))
                {
                    return true;
                }
            }

            return false;
        }
    }

    public override bool IsInTurnOf(XRpcSession<TCodec> client)
    {
        for (int i = 0; i < _ring.Count && !IsRelaying; i++)
        {
            if (_ring[i].Session == client && !_ring[i].Has(PendingFlags.Abandoned | PendingFlags.Hidden))
            {
                return client.IsTurn(_ring[i].Sequence);
            }
        }

        return true;
    }

    public override bool TryReserve(out ulong id)
    {
        id = 0;
        return !_ring.IsFull;
    }

    public override ref Pending<TCodec> Add() => ref _ring.Add();

    /// <summary>
    /// A request has its time from when it was sent, or from the last part of a long answer that still came. Who waited for longer is
    /// answered, and the connection takes nothing new until it moves; with nobody waiting it is closed. What stands behind a request that blocks has its time
    /// from that one's answer: given up it would be executed all the same.
    /// </summary>
    public override void ExpireRequests(long now)
    {
        if (_ring.IsEmpty || State == LinkState.Closed)
        {
            return;
        }

        bool anybody = false;
        bool isBlocked = false;
        for (int i = 0; i < _ring.Count; i++)
        {
            ref Pending<TCodec> pending = ref _ring[i];
            isBlocked |= pending.Has(PendingFlags.Blocking);
            if (pending.TimeoutMs > 0 && !isBlocked && !pending.Has(PendingFlags.Abandoned) && HasWaited(pending, now))
            {
                IsSuspect = true;
                Pending<TCodec> given = pending;
                pending.Flags |= PendingFlags.Abandoned;
                pending.State = null;
                given.Session?.RequestFailed(given, LocalReplyReason.Timeout, default, mayRetry: true);
            }

            anybody |= !pending.Has(PendingFlags.Abandoned | PendingFlags.HealthCheck | PendingFlags.Preamble);
        }

        if (!anybody && IsSuspect)
        {
            Close(LocalReplyReason.Timeout, reset: true);
        }
    }

    /// <summary>While it connects, what Envoy's <c>op_timeout</c> bounds has the time of connecting.</summary>
    private bool HasWaited(in Pending<TCodec> pending, long now)
    {
        bool perAnswer = pending.Has(PendingFlags.PerAnswer);
        long from = Math.Max(Math.Max(CountsFrom(pending, now), _unblockedAt), perAnswer ? Math.Max(FlowsAt, AnsweredAt) : FlowsAt);
        return !(perAnswer && State == LinkState.Connecting) && System.Diagnostics.Stopwatch.GetElapsedTime(from, now).TotalMilliseconds >= pending.TimeoutMs;
    }

    protected override bool WritePing()
    {
        if (_ring.IsFull || (TCodec.Traits.Order == FrameOrder.PingPong && !_ring.IsEmpty) || !TCodec.TryWriteControl(Side.Downstream, ControlFrame.Ping, 0, Output))
        {
            return false;
        }

        Add() = new Pending<TCodec> { Flags = PendingFlags.Hidden | PendingFlags.HealthCheck, SentAt = Owner.Now() };
        MarkDirty();
        return true;
    }

    protected override int Take(Span<byte> bytes)
    {
        long now = Owner.Now();
        int start = 0;
        int at = _scanned;
        int runStart = 0;
        XRpcSession<TCodec>? run = null;
        while (at < bytes.Length && State != LinkState.Closed)
        {
            if (IsRelaying && _ring.IsEmpty && !_headKnown && at == start)
            {
                // Answers due from before, those to a preamble above all, are not the client's.
                run?.Deliver(bytes[runStart..start]);
                run = null;
                start = at += Relay(bytes[at..]);
                continue;
            }

            ScanStatus status = Codec.Scan(bytes[at..], ref Reply, out int consumed);
            at += consumed;
            if (status == ScanStatus.Bad)
            {
                run?.Deliver(bytes[runStart..start]);
                Close(LocalReplyReason.UpstreamBroken, reset: true);
                return bytes.Length;
            }

            if (status != ScanStatus.Done && IsUnknown(status, consumed, now))
            {
                if (at - start <= MostUnknown)
                {
                    continue;
                }

                run?.Deliver(bytes[runStart..start]);
                Close(LocalReplyReason.UpstreamBroken, reset: true);
                return bytes.Length;
            }

            if ((Reply.Kind > FrameKind.ErrorResponse && !IsAnswer(Reply.Kind)) || _ring.IsEmpty || _isUnasked)
            {
                run?.Deliver(bytes[runStart..start]);
                run = null;
                _isUnasked = false;
                TakeUnasked(bytes[start..at], status == ScanStatus.Done);
            }
            else
            {
                TakeAnswer(bytes, start, at, status == ScanStatus.Done, now, ref run, ref runStart);
            }

            _headKnown = status != ScanStatus.Done;
            start = at;
        }

        run?.Deliver(bytes[runStart..start]);
        if (run is { IsOverfullInTurn: true })
        {
            StallFor(run, inTurn: true);
        }

        _scanned = at - start;
        return State == LinkState.Closed ? bytes.Length : start;
    }

    protected override void FailPending(LocalReplyReason reason, ReadOnlySpan<byte> rawReply)
    {
        while (!_ring.IsEmpty)
        {
            Pending<TCodec> pending = _ring.Head;
            _ring.RemoveHead();
            if (!pending.Has(PendingFlags.Abandoned))
            {
                pending.Session?.RequestFailed(pending, reason, rawReply, mayRetry: rawReply.IsEmpty);
            }
        }
    }

    /// <summary>A part came of a frame that goes on: whether nobody knows yet what it is.</summary>
    private bool IsUnknown(ScanStatus status, int bytes, long now)
    {
        _headKnown |= status == ScanStatus.Head;
        _isUnasked |= _ring.IsEmpty && !_headKnown;
        if (!_ring.IsEmpty && (!_headKnown || IsAnswer(Reply.Kind)))
        {
            PartCame(bytes, now);
        }

        return !_headKnown;
    }

    /// <summary>An answer of the oldest request, or a part of it. What is one client's in its turn is passed on in one run.</summary>
    private void TakeAnswer(Span<byte> bytes, int start, int at, bool done, long now, ref XRpcSession<TCodec>? run, ref int runStart)
    {
        ref Pending<TCodec> head = ref _ring.Head;
        XRpcSession<TCodec>? session = head.Session;
        bool direct = session is not null && (head.Flags & (PendingFlags.Hidden | PendingFlags.Abandoned | PendingFlags.Hedged)) == 0
            && head.State is not { Captures: true } && !session.IsClosed && session.IsTurn(head.Sequence);
        if (run is not null && (!direct || run != session || run.HasEarly))
        {
            run.Deliver(bytes[runStart..start]);
            run = null;
        }

        if (direct)
        {
            (run, runStart) = run is null ? (session, start) : (run, runStart);
            head.Flags |= PendingFlags.Begun;
        }
        else
        {
            TakeIndirect(ref head, bytes[start..at], done);
        }

        if (done && State != LinkState.Closed)
        {
            if (direct && (session!.HasEarly || head.Has(PendingFlags.Unpin)))
            {
                run!.Deliver(bytes[runStart..at]);
                run = null;
            }

            EndReply(direct, now);
        }
    }

    /// <summary>Passes on what comes, up to where the relaying ends.</summary>
    /// <returns>Bytes taken, at least one.</returns>
    private int Relay(Span<byte> bytes)
    {
        IsSuspect = false;
        int given = 0;
        int at = 0;
        XRpcSession<TCodec>? client = PinnedTo;
        if (client is null || client.IsClosed)
        {
            Close(LocalReplyReason.UpstreamClosed, reset: true);
            return bytes.Length;
        }

        while (at < bytes.Length && IsRelaying && State != LinkState.Closed)
        {
            int start = at;
            ScanStatus status = Codec.Scan(bytes[at..], ref Reply, out int consumed);
            at += consumed;
            if (status == ScanStatus.Bad)
            {
                client.Deliver(bytes[given..]);
                Close(LocalReplyReason.UpstreamBroken, reset: true);
                return bytes.Length;
            }

            if (status == ScanStatus.Done)
            {
                if (Reply.Kind is FrameKind.Ping or FrameKind.GoAway)
                {
                    TakeControl();
                }

                given = client.Relayed(this, Reply, bytes[start..at], bytes[given..at]) ? at : given;
            }
        }

        client.Deliver(bytes[given..at]);
        if (client.IsOverfullInTurn)
        {
            StallFor(client, inTurn: true);
        }

        return at;
    }

    /// <summary>
    /// What is no answer, or a part of it: a push is for the client that has the connection for itself, other frames are the connection's own. An answer that
    /// nobody asked for ends the connection.
    /// </summary>
    private void TakeUnasked(ReadOnlySpan<byte> bytes, bool done)
    {
        // Who owes an answer and tells something else owes it still.
        IsSuspect &= !_ring.IsEmpty && _ring.Head.Has(PendingFlags.Abandoned);
        if (IsAnswer(Reply.Kind))
        {
            Close(LocalReplyReason.UpstreamBroken, reset: true);
        }
        else if (Reply.Kind == FrameKind.Push && PinnedTo is { IsClosed: false } owner)
        {
            owner.Deliver(bytes);
        }
        else if (done && Reply.Kind == FrameKind.Pong)
        {
            ForgetPing();
        }
        else if (done)
        {
            TakeControl();
        }
    }

    /// <summary>A sign of life in a frame of its own kind stands in no order with answers: none is waited for any more.</summary>
    private void ForgetPing()
    {
        for (int i = 0; i < _ring.Count; i++)
        {
            if (_ring[i].Has(PendingFlags.HealthCheck))
            {
                _ring.RemoveAt(i);
                return;
            }
        }
    }

    private void TakeIndirect(ref Pending<TCodec> head, ReadOnlySpan<byte> bytes, bool done)
    {
        if (head.Has(PendingFlags.Preamble))
        {
            if (done && Reply.Kind == FrameKind.ErrorResponse)
            {
                PreambleRefused(Reply.Length == bytes.Length ? bytes : default);
            }
            else if (done)
            {
                PreambleAnswered();
            }
        }
        else if (head.Session is { IsClosed: false } session && !head.Has(PendingFlags.Hidden) && !head.Has(PendingFlags.Abandoned))
        {
            if (head.Has(PendingFlags.Hedged) && !session.WinsRace(ref head))
            {
                return;
            }

            if (head.State is { Captures: true } state)
            {
                session.Capture(state, bytes);
                if (session.IsOverfull && !session.IsTurn(head.Sequence))
                {
                    StallFor(session, inTurn: false);
                }
            }
            else
            {
                session.DeliverInTurn(head.Sequence, bytes);
                head.Flags |= PendingFlags.Begun;
                if (session.IsOverfull)
                {
                    StallFor(session, inTurn: false);
                }
            }
        }
    }

    /// <summary>The oldest request was answered.</summary>
    private void EndReply(bool direct, long now)
    {
        Pending<TCodec> done = _ring.Head;
        _ring.RemoveHead();
        AnswerCame(Reply.Length, now);
        _unblockedAt = done.Has(PendingFlags.Blocking) ? now : _unblockedAt;
        if (done.Session is { } session && (done.Flags & (PendingFlags.Hidden | PendingFlags.Abandoned)) == 0)
        {
            bool held = done.State is { Captures: true };
            session.RequestAnswered(this, done, Reply, direct, now);
            if (held && session.IsOverfullInTurn)
            {
                StallFor(session, inTurn: true);
            }
        }
    }
}

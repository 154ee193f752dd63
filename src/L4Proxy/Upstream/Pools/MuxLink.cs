using System.Diagnostics;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <summary>
/// A connection whose answers carry the id of their request, in any order. Requests of many clients have ids of this connection's
/// own: a slot and its generation, so that an answer is found by one index, and one that comes too late finds nobody.
/// </summary>
internal sealed class MuxLink<TCodec> : UpstreamLink<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>An answer up to this length is passed on in one piece; a longer one as it comes.</summary>
    private const int MostHeld = 64 * 1024;

    /// <summary>Bytes of streams that came for nobody before the connection takes nothing new; a frame counts for <see cref="LeastOfFrame"/> at least.</summary>
    private const int MostForNobody = 1024 * 1024;

    private const int LeastOfFrame = 1024;

    private static readonly FixedId? ReplyPlace = TCodec.Traits.IdIn(Side.Upstream);

    private readonly SlotTable<TCodec> _slots = new(Math.Min(TCodec.Traits.IdBits, Math.Min(BitsAt(TCodec.Traits.Id), BitsAt(ReplyPlace))));
    private int _scanned;
    private bool _headKnown;
    private bool _skipping;
    private XRpcSession<TCodec>? _passing;
    private int _forNobody;

    /// <summary>Stopwatch ticks of the first bytes of the frame that is not whole yet; 0 for none.</summary>
    private long _frameFrom;

    /// <summary>Stopwatch ticks that the longest of the long frames took that became whole since the time of requests was looked at.</summary>
    private long _longestFrame;

    public MuxLink(XRpcLoop<TCodec> owner, UpstreamPool<TCodec> pool, ClusterSnapshot cluster, EndpointSnapshot endpoint, ConnectionProfile profile)
        : base(owner, pool, cluster, endpoint, profile)
    {
    }

    public override int InFlight => _slots.Used - _slots.Abandoned;

    protected override bool IsFull => _slots.IsFull;

    public override bool HasOthersThan(XRpcSession<TCodec>? client)
    {
        for (int i = 0; i < _slots.Count; i++)
        {
            if (_slots.IsUsed(i) && _slots[i].Session is { IsClosed: false } session && session != client)
            {
                return true;
            }
        }

        return false;
    }

    public override bool IsInTurnOf(XRpcSession<TCodec> client) => client.IsPartOf(this);

    public override bool TryReserve(out ulong id) => _slots.TryReserve(out id);

    public override ref Pending<TCodec> Add() => ref _slots.Add();

    public override bool TryForget(ulong id)
    {
        int slot = _slots.Find(id);
        if (slot >= 0)
        {
            Abandon(slot);
        }

        return slot >= 0;
    }

    public override void ForgetGone()
    {
        for (int i = 0; i < _slots.Count && InFlight > 0; i++)
        {
            if (_slots.IsUsed(i) && _slots[i].Session is { IsClosed: true } gone)
            {
                Pending<TCodec> left = _slots[i];
                Abandon(i);
                gone.RequestFailed(left, LocalReplyReason.UpstreamClosed, default, mayRetry: false);
            }
        }

        Recount();
    }

    public override void ExpireRequests(long now)
    {
        if (IsLastResort && _slots.IsSpent)
        {
            // Nothing can be asked here, and no connection more may be opened. The few that still wait are told.
            Close(LocalReplyReason.UpstreamClosed, reset: true);
            return;
        }

        int passing = _passing is null ? -1 : _slots.Find(Reply.Id);
        for (int i = 0; i < _slots.Count && State != LinkState.Closed && InFlight > 0; i++)
        {
            if (_slots.IsUsed(i) && _slots[i].TimeoutMs > 0 && HasWaited(i, i == passing, now))
            {
                if (i == passing)
                {
                    EndBrokenPart();
                    _skipping = true;
                }

                Pending<TCodec> late = _slots[i];
                Abandon(i);
                late.Session?.RequestFailed(late, LocalReplyReason.Timeout, default, mayRetry: true);
            }
        }

        _longestFrame = 0;
    }

    /// <summary>
    /// Whether a request's time is over. Its own answer has all the time it flows. While a long one for another comes no other frame can, so what one of
    /// those takes does not count: one alone, the longest, or a call that is never answered would wait for as long as others have long answers.
    /// </summary>
    private bool HasWaited(int slot, bool isPassing, long now)
    {
        ref Pending<TCodec> pending = ref _slots[slot];
        long since = CountsFrom(pending, now);
        if (isPassing)
        {
            return IsOver(Math.Max(since, FlowsAt));
        }

        ref long excused = ref _slots.Excused(slot);
        excused = Math.Max(excused, Math.Min(_longestFrame, now - since));
        bool hasFlown = (_passing is not null || _skipping) && FlowsAt >= _frameFrom;
        long until = !hasFlown ? since : Stopwatch.GetElapsedTime(FlowsAt, now).TotalMilliseconds < pending.TimeoutMs ? now : FlowsAt;
        return IsOver(since + Math.Max(excused, until - Math.Max(_frameFrom, since)));

        bool IsOver(long from) => Stopwatch.GetElapsedTime(from, now).TotalMilliseconds >= _slots[slot].TimeoutMs;
    }

    protected override bool WritePing()
    {
        if (!TryReserve(out ulong id) || !TCodec.TryWriteControl(Side.Downstream, ControlFrame.Ping, id, Output))
        {
            return false;
        }

        MarkDirty();
        return true;
    }

    protected override int Take(Span<byte> bytes)
    {
        long now = Owner.Now();
        int start = 0;
        int at = _scanned;

        // Whoever gave no sign of life gives one; here a late answer holds up nobody.
        IsSuspect = false;
        while (at < bytes.Length && State != LinkState.Closed)
        {
            ScanStatus status = Codec.Scan(bytes[at..], ref Reply, out int consumed);
            at += consumed;
            if (status == ScanStatus.Bad)
            {
                Close(LocalReplyReason.UpstreamBroken, reset: true);
                return bytes.Length;
            }

            _headKnown |= status is ScanStatus.Head or ScanStatus.Done;
            if (!_headKnown && at - start > MostUnknown)
            {
                Close(LocalReplyReason.UpstreamBroken, reset: true);
                return bytes.Length;
            }

            bool done = status == ScanStatus.Done;
            if (_passing is not null || _skipping || (!done && at - start > MostHeld && _headKnown))
            {
                PassPart(bytes[start..at], done, now);
                start = at;
            }
            else if (done)
            {
                _frameFrom = 0;
                TakeFrame(bytes[start..at], now);
                start = at;
            }

            _headKnown &= !done;
        }

        _scanned = at - start;
        if (_frameFrom == 0 && (_scanned > 0 || _passing is not null || _skipping))
        {
            _frameFrom = now;
        }

        return State == LinkState.Closed ? bytes.Length : start;
    }

    protected override void FailPending(LocalReplyReason reason, ReadOnlySpan<byte> rawReply)
    {
        EndBrokenPart();
        for (int i = 0; i < _slots.Count; i++)
        {
            if (_slots.IsUsed(i))
            {
                Pending<TCodec> pending = _slots[i];
                _slots.Free(i);
                pending.Session?.RequestFailed(pending, reason, rawReply, mayRetry: true);
            }
        }
    }

    private static int BitsAt(FixedId? place) => place is null ? 64 : place.Width * 8;

    private static bool Ends(FrameKind kind) => kind is not (FrameKind.StreamData or FrameKind.StreamOpen);

    /// <summary>
    /// Nobody waits for a request any more, and its answer may still come: its id is not used again before, or that answer could be another client's. With
    /// too many of those the connection takes nothing new; it closes when nobody waits here.
    /// </summary>
    private void Abandon(int slot)
    {
        _slots.Abandon(slot);
        IsDraining |= _slots.IsWorn;
    }

    private void TakeFrame(Span<byte> frame, long now)
    {
        if (!IsAnswer(Reply.Kind))
        {
            TakeControl();
            return;
        }

        int slot = _slots.Find(Reply.Id);
        if (slot < 0)
        {
            return;
        }

        ref Pending<TCodec> pending = ref _slots[slot];
        if (!Ends(Reply.Kind))
        {
            CountForNobody(slot, frame.Length);
            (pending.SentAt, _slots.Excused(slot)) = (now, 0);
        }

        if (pending.Session is { IsClosed: false } session && !pending.Has(PendingFlags.Hidden) && !TryGive(session, ref pending, frame))
        {
            FailAnswered(slot, LocalReplyReason.UpstreamBroken, isOver: Ends(Reply.Kind));
        }
        else if (Ends(Reply.Kind))
        {
            EndRequest(slot, now);
        }
    }

    /// <summary>
    /// A stream goes on that nobody takes. There may be no way to end it but with the connection, which closes when nobody waits here: that is to
    /// come before the server has sent much for nothing.
    /// </summary>
    private void CountForNobody(int slot, int bytes)
    {
        if (_slots.IsAbandoned(slot) && _forNobody < MostForNobody)
        {
            _forNobody += Math.Max(bytes, LeastOfFrame);
            IsDraining |= _forNobody >= MostForNobody;
        }
    }

    /// <summary>A frame of the answer came that its client cannot have, and gets an error for; of a stream more may follow, for nobody.</summary>
    private void FailAnswered(int slot, LocalReplyReason reason, bool isOver)
    {
        Pending<TCodec> failed = _slots[slot];
        if (isOver)
        {
            _slots.Free(slot);
        }
        else
        {
            Abandon(slot);
        }

        failed.Session?.RequestFailed(failed, reason, default, mayRetry: false);
    }

    /// <summary>False for a frame that the codec cannot write under its client's id.</summary>
    private bool TryGive(XRpcSession<TCodec> session, ref Pending<TCodec> pending, Span<byte> frame)
    {
        if (pending.State is { Race: not null } && pending.Has(PendingFlags.Hedged) && !session.WinsRace(ref pending))
        {
            return true;
        }

        if (!TryWithId(frame, pending.Id, isWhole: true, out ReadOnlySpan<byte> bytes))
        {
            return false;
        }

        if (pending.State is { Captures: true } state)
        {
            session.Capture(state, bytes);
            return true;
        }

        pending.Flags |= PendingFlags.InParts;
        session.DeliverWhole(bytes);
        if (!Ends(Reply.Kind))
        {
            session.StreamWentOn(ref pending, Reply.Length);
        }

        if (session.IsOverfull)
        {
            StallFor(session, inTurn: false);
        }

        return true;
    }

    /// <summary>An answer as its client knows it; under the id that it has here it could be that of another call.</summary>
    private bool TryWithId(Span<byte> frame, ulong id, bool isWhole, out ReadOnlySpan<byte> bytes)
    {
        bytes = frame;
        if (ReplyPlace is { } place)
        {
            IdBytes.Write(frame, place, id);
            return true;
        }

        ScratchWriter edited = Owner.Edited;
        edited.Clear();
        bool written = Codec.WriteEdited(new FrameView(ref Reply, frame, isWhole), new HeadEdit(id), edited);
        bytes = edited.Written;
        return written;
    }

    /// <summary>A part of a long frame; the first one has its head.</summary>
    private void PassPart(Span<byte> part, bool done, long now)
    {
        // Other frames have ids of the server's own, which say nothing about requests.
        int slot = IsAnswer(Reply.Kind) ? _slots.Find(Reply.Id) : -1;
        PartCame(part.Length, now);
        if (slot >= 0 && !Ends(Reply.Kind))
        {
            CountForNobody(slot, part.Length);
        }

        _frameFrom = _frameFrom == 0 ? now : _frameFrom;
        if (_passing is not null)
        {
            _passing.DeliverPart(this, part);
        }
        else if (!_skipping)
        {
            BeginPart(slot, part);
        }

        if (_passing is { } client && (client.IsPartOf(this) ? client.IsOverfullInTurn : client.IsOverfull))
        {
            StallFor(client, inTurn: client.IsPartOf(this));
        }

        if (done)
        {
            _passing?.EndPart(this);
            (_passing, _skipping) = (null, false);
            (_longestFrame, _frameFrom) = (Math.Max(_longestFrame, now - _frameFrom), 0);
            AnswerCame(Reply.Length, now);
            TakeControl();
            if (slot >= 0)
            {
                EndPart(slot, now);
            }
        }
    }

    private void BeginPart(int slot, Span<byte> part)
    {
        bool wanted = slot >= 0 && _slots[slot] is { Session.IsClosed: false, State: not { Captures: true } } && !_slots[slot].Has(PendingFlags.Hidden)
            && (!_slots[slot].Has(PendingFlags.Hedged) || _slots[slot].Session!.WinsRace(ref _slots[slot]));
        if (wanted && TryWithId(part, _slots[slot].Id, isWhole: false, out ReadOnlySpan<byte> bytes))
        {
            ref Pending<TCodec> pending = ref _slots[slot];
            pending.Flags |= PendingFlags.Begun;
            _passing = pending.Session!;
            _passing.BeginPart(this);
            _passing.DeliverPart(this, bytes);
            return;
        }

        _skipping = true;
        if (slot >= 0)
        {
            FailAnswered(slot, wanted ? LocalReplyReason.UpstreamBroken : LocalReplyReason.AnswerTooLarge, isOver: false);
        }
    }

    /// <summary>A long frame will not be whole; a client that has got nothing of it is answered as if it had not begun.</summary>
    private void EndBrokenPart()
    {
        if (_passing is not { } client)
        {
            return;
        }

        _passing = null;
        int slot = _slots.Find(Reply.Id);
        if (client.TakePartBack(this) && slot >= 0)
        {
            _slots[slot].Flags &= ~PendingFlags.Begun;
        }

        client.EndPart(this);
    }

    /// <summary>A long frame is over; of a stream more may follow, each in a time of its own.</summary>
    private void EndPart(int slot, long now)
    {
        if (Ends(Reply.Kind))
        {
            EndRequest(slot, now);
        }
        else
        {
            ref Pending<TCodec> pending = ref _slots[slot];
            (pending.SentAt, _slots.Excused(slot)) = (now, 0);
            pending.Flags = (pending.Flags & ~PendingFlags.Begun) | PendingFlags.InParts;
            pending.Session?.StreamWentOn(ref pending, Reply.Length);
        }
    }

    private void EndRequest(int slot, long now)
    {
        Pending<TCodec> done = _slots[slot];
        _slots.Free(slot);
        if (done.Session is { } session && !done.Has(PendingFlags.Hidden))
        {
            session.RequestAnswered(this, done, Reply, passed: true, now);
        }
    }
}

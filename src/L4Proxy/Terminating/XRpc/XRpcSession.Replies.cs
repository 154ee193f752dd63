using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Answers: passed on in their turn, held when they are early, and what happens when the client does not read them.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>Answers waiting for the client above which no more requests of it are read.</summary>
    private const int RequestWatermark = 64 * 1024;

    /// <summary>Of what may be held, the part that is for the answers to come: what may be held besides moves <see cref="UnreadMark"/> up.</summary>
    private const int RoomForAnswers = (1024 * 1024) - RequestWatermark;

    private readonly OutputQueue _output;
    private List<EarlyReply>? _early;
    private List<StalledLink>? _stalled;
    private uint _nextSequence;
    private uint _headSequence;
    private long _earlyBytes;
    private long _earlyHeld;
    private long _counted;
    private long _lastProgressMs;
    private ReaderEvidence _evidence;

    /// <summary>Bytes of an answer to come: the largest of late, which fades; careful before any came.</summary>
    private long _expectedReply = 64 * 1024;

    /// <summary>Requests whose answers are due.</summary>
    public int InFlight { get; private set; }

    /// <summary>Answers that came before their turn are held.</summary>
    public bool HasEarly => _early is { Count: > 0 };

    /// <summary>Bytes held for this client, those to be looked at or merged among them.</summary>
    public long Backlog => _output.Length + _earlyBytes + _captured;

    /// <summary>More is held than it may have: who sends out of turn has to wait.</summary>
    public bool IsOverfull => !IsClosed && Backlog > Proxy.Limits.MaxBufferedBytes;

    /// <summary>
    /// More waits for its socket than it may have: who sends in turn has to wait. What is held behind a turn does not count for it, or
    /// the one that all others wait for would wait for them.
    /// </summary>
    public bool IsOverfullInTurn => !IsClosed && _output.Length > Proxy.Limits.MaxBufferedBytes;

    /// <summary>Bytes of one answer that may be held to be looked at.</summary>
    public long MaxCapture => Proxy.Limits.MaxBufferedBytes;

    /// <summary>As <see cref="RequestWatermark"/>, and more where the configuration has clients be given more than the usual: some write all before they read.</summary>
    private int UnreadMark => Math.Max(RequestWatermark, Proxy.Limits.MaxBufferedBytes - RoomForAnswers);

    /// <summary>
    /// Requests are taken as long as the answers to come, by the size of those that came, fit into what may be held: a client that
    /// does not read then stops itself, and no connection has to wait for it.
    /// </summary>
    private bool HasRoom => InFlight < Proxy.Limits.MaxPendingRequests && _output.Length < UnreadMark
        && (AnswersDue == 0 || ((AnswersDue + 1) * _expectedReply) + Backlog <= Proxy.Limits.MaxBufferedBytes);

    /// <summary>Whether an answer is the one that the client is to get next.</summary>
    public bool IsTurn(uint sequence) => !IsOrdered || sequence == _headSequence;

    /// <summary>Passes bytes on that are in their turn: at once, when nothing else waits.</summary>
    public unsafe void Deliver(ReadOnlySpan<byte> bytes)
    {
        if (IsClosed || bytes.IsEmpty)
        {
            return;
        }

        Record.BytesSent += bytes.Length;
        if (_output.IsEmpty && _socket.Writable)
        {
            nint sent;
            fixed (byte* start = bytes)
            {
                sent = _socket.Send(start, bytes.Length);
            }

            _lastProgressMs = _owner.Loop.NowMilliseconds;
            if (sent == bytes.Length)
            {
                return;
            }

            if (sent < 0 && _socket.Writable)
            {
                End(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
                return;
            }

            bytes = bytes[(int)Math.Max(sent, 0)..];
        }

        Hold(bytes);
    }

    /// <summary>Holds bytes of an answer whose turn has not come.</summary>
    public void DeliverEarly(uint sequence, ReadOnlySpan<byte> bytes)
    {
        if (IsClosed)
        {
            return;
        }

        if (Backlog == 0)
        {
            _lastProgressMs = _owner.Loop.NowMilliseconds;
        }

        AppendEarly(Early(sequence).Bytes, bytes);
    }

    /// <summary>Passes bytes on, or holds them until it is their turn.</summary>
    public void DeliverInTurn(uint sequence, ReadOnlySpan<byte> bytes)
    {
        if (IsTurn(sequence))
        {
            Deliver(bytes);
        }
        else
        {
            DeliverEarly(sequence, bytes);
        }
    }

    /// <summary>Stopwatch ticks of when a connection last went on that had waited for it; 0 for never.</summary>
    public long TookAt { get; set; }

    /// <summary>A connection waits for this client.</summary>
    /// <param name="link">The connection.</param>
    /// <param name="inTurn">For its socket alone; else also for what is held until its turn comes.</param>
    public void NoteStalled(UpstreamLink<TCodec> link, bool inTurn)
    {
        _lastProgressMs = _owner.Loop.NowMilliseconds;
        (_stalled ??= []).Add(new StalledLink(link, inTurn));
        if (!_evidence.Reads(_lastProgressMs) && _owner.Patience.IsExhausted && !_output.IsEmpty && !_socket.Writable && link.HasOthersThan(this))
        {
            EndTooSlow(holdsBack: true);
        }
    }

    /// <summary>A request was answered whole.</summary>
    /// <param name="link">Where it was sent.</param>
    /// <param name="pending">The request.</param>
    /// <param name="reply">Head of its answer.</param>
    /// <param name="passed">Whether the client has got it already, in its turn.</param>
    /// <param name="now">Stopwatch ticks.</param>
    public void RequestAnswered(UpstreamLink<TCodec> link, in Pending<TCodec> pending, in FrameHead reply, bool passed, long now)
    {
        if (IsClosed)
        {
            Forget(pending);
            return;
        }

        EndStream(pending);
        if (pending.State is { } state)
        {
            state.EndRetry();
            state.ReplyKind = reply.Kind;
            if (state.Captures)
            {
                TakeCaptured(link, pending, state, now);
                return;
            }

            LogAnswered(state, pending, reply.Kind == FrameKind.ErrorResponse, now);
            _owner.States.Return(state);
        }

        ExpectLike(reply.Length);
        _stats.Answered(pending.Method, reply.Kind == FrameKind.ErrorResponse, now - pending.SentAt);
        if (pending.Has(PendingFlags.Unpin))
        {
            Unpin(link, IsAsNewBehind(reply));
        }

        EndRequest(pending.Sequence, passed);
    }

    /// <summary>A request will have no answer: it is sent again, or the client is told.</summary>
    /// <param name="pending">The request; no longer in flight.</param>
    /// <param name="reason">Why.</param>
    /// <param name="raw">The server's own words; empty for none.</param>
    /// <param name="mayRetry">Whether another try makes sense.</param>
    public void RequestFailed(in Pending<TCodec> pending, LocalReplyReason reason, ReadOnlySpan<byte> raw, bool mayRetry)
    {
        pending.State?.EndRetry();
        try
        {
            EndFailed(pending, reason, raw, mayRetry);
        }
#pragma warning disable CA1031 // A defect in a codec ends this client; the others that waited for the same server are told after it.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            pending.State?.ForgetRequest();
            Fail(defect);
        }
    }

    private void EndFailed(in Pending<TCodec> pending, LocalReplyReason reason, ReadOnlySpan<byte> raw, bool mayRetry)
    {
        if (IsClosed || pending.Has(PendingFlags.Hidden))
        {
            Forget(pending);
            return;
        }

        if (pending.Has(PendingFlags.Begun))
        {
            // Half an answer cannot be taken back.
            End(
                FlagsOf(reason),
                EndedBy.Upstream,
                Proxy.Codec + (reason == LocalReplyReason.Timeout ? "_op_timeout" : reason == LocalReplyReason.UpstreamBroken ? "_reply_malformed" : "_upstream_closed_with_requests_in_flight"));
            Forget(pending);
            return;
        }

        if (IsOutrun(pending))
        {
            return;
        }

        if (mayRetry && !pending.Has(PendingFlags.InParts) && TryAgain(pending, reason))
        {
            return;
        }

        EndStream(pending);

        // What the conversation is shown may have asked for another login, and is not the end of who has one.
        bool ends = !raw.IsEmpty && pending.State is not { Observes: true } && EndsBehind(raw);
        FinishLocally(pending, reason, raw);
        if (ends)
        {
            EndBehindRefusal();
        }
        else if (!_pinnedForOne && _pinned is { State: not LinkState.Closed } own && !IsClosed && !_conversation.OnGivenUp())
        {
            own.Close(LocalReplyReason.UpstreamClosed, reset: true);
        }
    }

    private void Hold(ReadOnlySpan<byte> bytes)
    {
        if (_output.IsEmpty)
        {
            _lastProgressMs = _owner.Loop.NowMilliseconds;
        }

        _output.Append(bytes);
        CountBacklog();
        if (_socket.Writable)
        {
            _owner.Attend(this);
        }
    }

    /// <summary>Sends what waits. Also when the socket can take more again.</summary>
    private void FlushOutput()
    {
        long before = _output.Length;
        if (!_output.SendTo(_socket))
        {
            End(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
            return;
        }

        if (_output.Length < before)
        {
            _lastProgressMs = _owner.Loop.NowMilliseconds;
            _evidence.Took(_lastProgressMs);
            CountBacklog();
            if (_stalled is not null)
            {
                ReleaseStalled(Proxy.Limits.MaxBufferedBytes / 2);
            }

            if (_output.IsEmpty || (_pause == Pause.Room && HasRoom))
            {
                _owner.Attend(this);
            }
        }
    }

    /// <summary>Whether other clients wait for a connection that waits for this one.</summary>
    private bool HoldsOthersBack()
    {
        for (int i = 0; i < _stalled?.Count; i++)
        {
            if (_stalled[i].Link.HasOthersThan(this))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Lets those go on whose bytes find room again below <paramref name="mark"/>; the one whose turn has come does not wait for others.</summary>
    private void ReleaseStalled(long mark)
    {
        for (int i = _stalled!.Count - 1; i >= 0; i--)
        {
            (UpstreamLink<TCodec> link, bool inTurn) = _stalled[i];
            if (Backlog < mark || (_output.Length < mark && (inTurn || link.IsInTurnOf(this))))
            {
                _stalled.RemoveAt(i);
                link.Unstall();
            }
        }

        _stalled = _stalled.Count == 0 ? null : _stalled;
    }

    private void ReleaseStall()
    {
        if (_stalled is { } links)
        {
            _stalled = null;
            foreach (StalledLink stalled in links)
            {
                stalled.Link.Unstall();
            }
        }
    }

    private void AppendEarly(OutputQueue held, ReadOnlySpan<byte> bytes)
    {
        _earlyHeld -= held.HeldBytes;
        held.Append(bytes);
        _earlyHeld += held.HeldBytes;
        _earlyBytes += bytes.Length;
        CountBacklog();
    }

    /// <summary>What was held becomes the next to be sent; the caller counts.</summary>
    private void SendEarly(OutputQueue held)
    {
        Record.BytesSent += held.Length;
        ForgetEarly(held);
        held.MoveTo(_output);
    }

    private void ForgetEarly(OutputQueue held)
    {
        _earlyBytes -= held.Length;
        _earlyHeld -= held.HeldBytes;
    }

    /// <summary>Counts the blocks, not the bytes in them: it is memory that the loop has a bound for.</summary>
    private void CountBacklog()
    {
        long held = _output.HeldBytes + _earlyHeld + _captured;
        _owner.Backlog += held - _counted;
        bool grew = held > _counted;
        _counted = held;
        if (grew && Backlog > RequestWatermark && _owner.Backlog > _owner.MostBacklog)
        {
            End(ResponseFlags.OM, EndedBy.Proxy, "downstream_backlog_limit");
        }
    }

    /// <summary>Answers to come are taken to be as long as those that came.</summary>
    private void ExpectLike(long length) =>
        _expectedReply = length >= _expectedReply ? length : _expectedReply - ((_expectedReply - length + 3) / 4);

    /// <summary>A request is over; what waited for its end goes on.</summary>
    private void EndRequest(uint sequence, bool passed)
    {
        InFlight--;
        if (IsOrdered)
        {
            if (!passed && sequence != _headSequence)
            {
                Early(sequence).IsWhole = true;
                InFlight++;
                return;
            }

            _headSequence++;
            if (HasEarly)
            {
                ReleaseEarly();
            }
        }

        if (_stalled is not null || (InFlight == 0 && (_pause == Pause.Quiet || _stopReading)) || (!IsOrdered && (_givesUpStreams || _isDraining) && IsDone)
            || (WaitsForRoom && HasRoom))
        {
            _owner.Attend(this);
        }
    }

    private void ReleaseEarly()
    {
        while (FindEarly(_headSequence) is { } early)
        {
            SendEarly(early.Bytes);
            _early!.Remove(early);
            if (!early.IsWhole)
            {
                break;
            }

            InFlight--;
            _headSequence++;
        }

        CountBacklog();
        _owner.Attend(this);
    }

    private EarlyReply Early(uint sequence)
    {
        if (FindEarly(sequence) is { } early)
        {
            return early;
        }

        early = new EarlyReply(sequence, new OutputQueue(_owner.Loop.Memory));
        (_early ??= []).Add(early);
        return early;
    }

    private EarlyReply? FindEarly(uint sequence)
    {
        for (int i = 0; i < _early?.Count; i++)
        {
            if (_early[i].Sequence == sequence)
            {
                return _early[i];
            }
        }

        return null;
    }

    /// <summary>Forgets what was held.</summary>
    /// <returns>Requests whose answers had come whole: in flight for the client's order alone, and counted as ended when they came.</returns>
    private int DropEarly()
    {
        int whole = 0;
        for (int i = 0; i < _early?.Count; i++)
        {
            whole += _early[i].IsWhole ? 1 : 0;
            _early[i].Bytes.Clear();
        }

        _early?.Clear();
        DropParts();
        (_earlyBytes, _earlyHeld) = (0, 0);
        return whole;
    }

    /// <summary>A connection that is not read before this client took what it has.</summary>
    private readonly record struct StalledLink(UpstreamLink<TCodec> Link, bool InTurn);

    /// <summary>An answer, or its beginning, that came before its turn.</summary>
    private sealed class EarlyReply(uint sequence, OutputQueue bytes)
    {
        public uint Sequence { get; } = sequence;

        public OutputQueue Bytes { get; } = bytes;

        public bool IsWhole { get; set; }
    }
}

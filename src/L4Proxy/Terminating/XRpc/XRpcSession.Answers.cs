using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Answers that are made or looked at here: errors, held answers, merged ones.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>Bytes of a request's beginning that the codec's own answers are made of; none for most codecs, whose requests are kept nothing of.</summary>
    private static readonly int SeedBytes = TCodec.Traits.ReplySeedBytes;

    private static ReadOnlySpan<byte> SeedOf(in FrameView frame) => SeedBytes == 0 ? default : frame.Bytes[..Math.Min(SeedBytes, frame.Bytes.Length)];

    /// <summary>What the client is told before its end, when the server has answered all before it; null for nothing.</summary>
    private byte[]? _lastWords;

    /// <summary>The protocol's error for a request that goes nowhere. Always true: the frame is dealt with.</summary>
    private bool AnswerLocally(in FrameView frame, LocalReplyReason reason, string? words = null, ReadOnlySpan<byte> raw = default)
    {
        UnpinUnused();
        if (IsRelaying)
        {
            return EndRelay(frame, reason, words);
        }

        SessionExchange<TCodec> exchange = _owner.Exchange.For(this);
        bool replaced = _conversation.OnRefused(frame.Head, exchange, out Decision instead);
        if (replaced && instead.Act == Act.Forward && !exchange.ReplacementBytes.IsEmpty && _pinned is { State: not LinkState.Closed } own
            && _pinnedRoute is { } route && own.TryReserve(out _))
        {
            _requestFlags |= FlagsOf(reason);
            bool sent = Send(new FrameView(in frame.Head, frame.Bytes, isWhole: true), instead, route, own);
            _lastFailure = reason;
            return sent;
        }

        return AnswerError(frame, reason, words, silent: replaced && instead.Act == Act.Drop, raw);
    }

    /// <summary>
    /// An answer of the proxy's own has no place among those that are relayed: a request that goes nowhere ends the connection behind
    /// its error.
    /// </summary>
    private bool EndRelay(in FrameView frame, LocalReplyReason reason, string? words)
    {
        _stats.Asked(frame.Head.Method);
        _stats.RequestsEnded++;
        LogHere(frame.Head.Method, RequestOutcome.Error, FlagsOf(reason));
        if (TryWriteError(frame, reason, words, out ReadOnlySpan<byte> bytes))
        {
            SayLast(bytes);
        }

        _stopReading = true;
        Record.Fail(ResponseFlags.LR, EndedBy.Proxy, $"{TCodec.Traits.Name}_refused_while_relaying_{reason}");
        return true;
    }

    /// <summary>The last that the client of a connection that relays gets: behind what the server still owes it, or that would be taken for another's answer.</summary>
    private void SayLast(ReadOnlySpan<byte> words)
    {
        if (_conversation.AwaitsRelayed)
        {
            _lastWords = words.ToArray();
        }
        else
        {
            Deliver(words);
        }
    }

    /// <summary>The protocol's words for it; false for a request without an answer.</summary>
    private bool TryWriteError(in FrameView frame, LocalReplyReason reason, string? words, out ReadOnlySpan<byte> bytes)
    {
        ScratchWriter writer = _owner.Local;
        writer.Clear();
        bool written = frame.Head.Replies != 0 && TCodec.WriteLocalReply(frame.Head, new LocalReply(reason, words, SeedOf(frame)), writer);
        bytes = writer.Written;
        return written;
    }

    private bool AnswerError(in FrameView frame, LocalReplyReason reason, string? words, bool silent = false, ReadOnlySpan<byte> raw = default)
    {
        (_lastFailure, _lastWasRefused) = (reason, !raw.IsEmpty);
        LogHere(frame.Head.Method, RequestOutcome.Error, FlagsOf(reason));
        bool says = TryWriteError(frame, reason, words, out ReadOnlySpan<byte> bytes) && !silent;
        bytes = raw.IsEmpty ? bytes : raw;

        // Behind what a codec does: one that throws there would leave it counted as active.
        _stats.Asked(frame.Head.Method);
        if (says)
        {
            AnswerBytes(bytes, TakeSequence(), frame.Head.Method, isError: true);
        }
        else
        {
            _stats.RequestsEnded++;
        }

        return true;
    }

    /// <summary>For bytes that are no frame: what is known of it stands in the head.</summary>
    private void AnswerUnframed(ReadOnlySpan<byte> bytes, LocalReplyReason reason, string? words)
    {
        FrameHead head = _head;
        head.Replies = 1;
        AnswerError(new FrameView(in head, bytes, isWhole: false), reason, words);
    }

    /// <summary>Gives bytes in the turn of a request that is in flight, and ends it.</summary>
    private void AnswerBytes(ReadOnlySpan<byte> bytes, uint sequence, int method, bool isError)
    {
        _stats.Answered(method, isError, 0);
        GiveWhole(bytes, sequence);
    }

    /// <summary>The same for what is not counted as a request.</summary>
    private void GiveWhole(ReadOnlySpan<byte> bytes, uint sequence)
    {
        bool turn = IsTurn(sequence);
        if (turn)
        {
            DeliverWhole(bytes);
        }
        else
        {
            DeliverEarly(sequence, bytes);
        }

        EndRequest(sequence, turn);
    }

    private void TakeCaptured(UpstreamLink<TCodec> link, in Pending<TCodec> pending, RequestState<TCodec> state, long now)
    {
        try
        {
            EndCaptured(link, pending, state, now);
        }
#pragma warning disable CA1031 // A defect in a conversation ends this client; the server did its part, and the others that wait for it are answered.
        catch (Exception defect)
#pragma warning restore CA1031
        {
            state.ForgetRequest();
            Fail(defect);
        }
    }

    private void EndCaptured(UpstreamLink<TCodec> link, in Pending<TCodec> pending, RequestState<TCodec> state, long now)
    {
        if (state.IsOverflown)
        {
            FinishLocally(pending, LocalReplyReason.AnswerTooLarge, default, $"the answer is over max_buffered_bytes ({MaxCapture})");
            return;
        }

        if (state.Split is { } split)
        {
            EndFragment(split, now);
            return;
        }

        FrameHead head = new() { Kind = state.ReplyKind, Length = state.ReplyLength, Replies = 1, Id = pending.Id };
        Observe(link, pending, state, head, now);
    }

    /// <summary>Shows an answer to the conversation, and gives the client what that says.</summary>
    private void Observe(UpstreamLink<TCodec>? link, in Pending<TCodec> pending, RequestState<TCodec> state, in FrameHead head, long now)
    {
        SessionExchange<TCodec> exchange = _owner.Exchange.For(this);
        ReplyAct act = state.Observes ? _conversation.OnReply(state.Tag, new FrameView(in head, state.Reply, isWhole: true), exchange) : ReplyAct.Pass;
        bool closes = act is ReplyAct.UnpinAndClose or ReplyAct.ReplaceAndClose or ReplyAct.EndClient;
        bool unpins = act == ReplyAct.Unpin || EndsOwn(pending);
        if ((closes || unpins) && (link ?? state.SentOn) is { } own)
        {
            Unpin(own, reusable: !closes && (act == ReplyAct.Unpin || IsAsNewBehind(head)));
        }

        if (act == ReplyAct.Relay && _pinned is { } relay)
        {
            relay.IsRelaying = true;
        }

        if (act == ReplyAct.EndClient)
        {
            _stopReading = true;
            Record.Fail(state.Flags, EndedBy.Proxy, $"{TCodec.Traits.Name}_state_unknown");
        }

        bool replaced = act is ReplyAct.Replace or ReplyAct.ReplaceAndClose;
        ReadOnlySpan<byte> bytes = replaced ? exchange.AnswerBytes : state.Reply;
        if (pending.Has(PendingFlags.Ahead))
        {
            bytes = default;
            _asksAhead = false;
            _requestFlags |= state.Flags;
        }
        else
        {
            _stats.Answered(pending.Method, head.Kind == FrameKind.ErrorResponse, now - pending.SentAt);
            ExpectLike(head.Length);
        }

        Uncapture(state);
        GiveAnswer(bytes, pending.Sequence);
        LogAnswered(state, pending, replaced && state.IsLogged ? IsError(bytes) : head.Kind == FrameKind.ErrorResponse, now);
        GiveBack(state);
    }

    private void GiveAnswer(ReadOnlySpan<byte> bytes, uint sequence)
    {
        bool turn = IsTurn(sequence);
        if (turn && _partOf is null)
        {
            Deliver(bytes);
        }
        else if (turn)
        {
            DeliverWhole(bytes);
        }
        else
        {
            DeliverEarly(sequence, bytes);
        }

        EndRequest(sequence, turn);
    }

    private void EndFragment(SplitRequest<TCodec> split, long now)
    {
        if (--split.Missing > 0)
        {
            return;
        }

        Pending<TCodec> request = split.Request;
        FrameHead head = request.ToHead();
        SessionExchange<TCodec> exchange = _owner.Exchange.For(this);
        _conversation.Merge(new MergeInput(split.Tag, in head, split), exchange);
        _stats.Answered(request.Method, AllFailed(split), now - request.SentAt);
        ExpectLike(exchange.AnswerBytes.Length);
        Uncapture(split);
        GiveAnswer(exchange.AnswerBytes, request.Sequence);
        LogSplit(split, exchange.AnswerBytes, now);
        _owner.States.Return(split);
    }

    private static bool AllFailed(SplitRequest<TCodec> split)
    {
        for (int i = 0; i < split.Count; i++)
        {
            if (split.KindOf(i) != FrameKind.ErrorResponse)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A request that was sent ends with the proxy's error, or with the server's own words.</summary>
    private void FinishLocally(in Pending<TCodec> pending, LocalReplyReason reason, ReadOnlySpan<byte> raw, string? words = null)
    {
        (_lastFailure, _lastWasRefused) = (reason, !raw.IsEmpty);
        ScratchWriter writer = _owner.Local;
        writer.Clear();
        FrameHead head = pending.ToHead();
        if (raw.IsEmpty)
        {
            TCodec.WriteLocalReply(head, new LocalReply(reason, words, pending.State is { } kept ? kept.Seed : default), writer);
            raw = writer.Written;
        }

        // An error is an answer too: what waits behind a server that says nothing is not to wait for its time once for every few requests.
        ExpectLike(raw.Length);
        long now = _owner.Now();
        if (pending.State is { } state)
        {
            state.Flags |= FlagsOf(reason);
            state.Replace(raw, MaxCapture);
            state.ReplyKind = FrameKind.ErrorResponse;
            if (state.Split is { } split)
            {
                split.Flags |= state.Flags;
                EndFragment(split, now);
                return;
            }

            head.Kind = FrameKind.ErrorResponse;
            head.Length = raw.Length;
            Observe(null, pending, state, head, now);
            return;
        }

        // Before a connection closes: whoever is told by that writes to the same place.
        AnswerBytes(raw, pending.Sequence, pending.Method, isError: true);
        if (EndsOwn(pending) && _pinned is { } own)
        {
            Unpin(own, reusable: false);
        }
    }

    /// <summary>Gives back what a request held when nobody is interested any more.</summary>
    private void Forget(in Pending<TCodec> pending)
    {
        if (pending.State is not { } state)
        {
            return;
        }

        if (state.Split is not { } split)
        {
            // Outrun by a copy, it was answered and told.
            if (!state.IsCopy && state.Race?.Winner is null)
            {
                LogUnfinished(state.Route, pending.Method, state.Flags, state.StartedAt, state.SentOn?.Cluster.Name, state.SentOn?.Endpoint);
            }

            GiveBack(state);
        }
        else if (--split.Missing == 0)
        {
            LogUnfinished(split.Route, split.Request.Method, split.Flags, split.StartedAt, split.Cluster);
            GiveBack(split);
        }
    }

    /// <summary>A request is allowed by the routes of its keys; one without keys is about all keys of the servers it goes to.</summary>
    private bool IsAllowedEverywhere(in FrameView frame, int fragments)
    {
        SessionExchange<TCodec> exchange = _owner.Exchange;
        if (exchange.KeyCount > 0)
        {
            return AreKeysAllowed(frame);
        }

        for (int i = 0; i < fragments; i++)
        {
            if (!AreAllKeysAllowed(exchange.FragmentAt(i, out _).ClusterName!, frame))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Sends the fragments; false when one of their connections makes the request wait.</summary>
    private bool Split(in FrameView frame, in Decision decision)
    {
        SessionExchange<TCodec> exchange = _owner.Exchange;
        int count = exchange.FragmentCount;
        if (count == 0)
        {
            return AnswerLocally(frame, LocalReplyReason.NoHealthyUpstream);
        }

        XRpcRouteSnapshot first = exchange.FragmentAt(0, out _).Route;
        _asked = first;
        string? cluster = exchange.FragmentCluster;
        if (!MayPass(frame, decision, first, default, _admitted || IsAllowedEverywhere(frame, count), out bool wait))
        {
            return !wait;
        }

        bool apart = (decision.Flags & ForwardFlags.PinOnce) != 0;
        if (apart && InFlight > 0 && IsOrdered)
        {
            PauseUntilQuiet();
            return false;
        }

        List<UpstreamLink<TCodec>?> links = _owner.Links;
        links.Clear();
        bool linked = TryLinks(links, count, apart, out wait);
        foreach (UpstreamLink<TCodec>? link in links)
        {
            link?.IsChosen = false;
        }

        _tried = cluster;
        if (!linked)
        {
            return !wait && AnswerLocally(frame, LocalReplyReason.Overflow, _linkLimit);
        }

        _stats.Asked(frame.Head.Method);
        SplitRequest<TCodec> split = _owner.States.RentSplit();
        split.Begin(exchange.NotesBytes, decision.Tag);
        (split.Route, split.Cluster, split.StartedAt, split.Flags) = (first, cluster, _cameAt == 0 ? _now : _cameAt, _requestFlags);
        split.Request = new Pending<TCodec>
        {
            Session = this, Sequence = TakeSequence(), SentAt = _now, Method = (ushort)frame.Head.Method, Id = frame.Head.Id, Seed = frame.Head.ReplySeed,
        };
        for (int i = 0; i < count; i++)
        {
            RequestState<TCodec> fragment = _owner.States.Rent();
            fragment.KeepSeed(SeedOf(frame));
            split.Add(fragment);
        }

        _conversation.OnSent(decision, exchange);
        for (int i = 0; i < count; i++)
        {
            Target target = exchange.FragmentAt(i, out ReadOnlySpan<byte> bytes);
            SendFragment(split, i, target, links[i], bytes, decision);
        }

        links.Clear();
        if (apart && IsOrdered)
        {
            PauseUntilQuiet();
        }

        return true;
    }

    /// <summary>
    /// Finds the connections of all fragments, none of which is closed for the place of another. False when one makes the request wait, or the limit of
    /// a cluster is reached.
    /// </summary>
    private bool TryLinks(List<UpstreamLink<TCodec>?> links, int count, bool apart, out bool wait)
    {
        (wait, _linkLimit) = (false, null);
        for (int i = 0; i < count; i++)
        {
            int binding = BindTo(_owner.Exchange.FragmentAt(i, out _));
            if (binding < 0)
            {
                // Its part fails by itself.
                links.Add(null);
                continue;
            }

            UpstreamLink<TCodec>? link = apart ? BorrowedLink(_bindings[binding]) : SharedLink(binding);
            if (link is null)
            {
                // At the bound of private ones nothing would tell when there is another.
                (wait, _linkLimit) = (!apart, UpstreamLimit.Pinned);
                return false;
            }

            if (link.MustWait(this))
            {
                _pause = Pause.Upstream;
                return !(wait = true);
            }

            link.IsChosen = true;
            links.Add(link);
            if (_bindings[binding] is { IsLimited: true } limited && !link.TryCount(limited.Cluster.Limits))
            {
                return false;
            }
        }

        return true;
    }

    private void SendFragment(
        SplitRequest<TCodec> split, int index, in Target target, UpstreamLink<TCodec>? link, ReadOnlySpan<byte> bytes, in Decision decision)
    {
        var pending = new Pending<TCodec>
        {
            Session = this,
            State = split.Fragments[index],
            SentAt = _now,
            Id = split.Request.Id,
            Seed = split.Request.Seed,
            Sequence = split.Request.Sequence,
            Method = split.Request.Method,
            TimeoutMs = TimeoutOf(target.Route, decision),
            Flags = TimingOf(target.Route),
        };
        if (link is null)
        {
            _tried = target.Absent;
            FinishLocally(pending, LocalReplyReason.NoHealthyUpstream, default, $"no healthy upstream in cluster {target.Absent}");
            return;
        }

        if (link.State == LinkState.Closed || !link.TryReserve(out _))
        {
            FinishLocally(pending, FailureOf(link), default, link.RefusedFor);
            return;
        }

        link.Output.Append(bytes);
        link.Add() = pending;
        link.LastUsedMs = _owner.Loop.NowMilliseconds;
        link.MarkDirty();
    }
}

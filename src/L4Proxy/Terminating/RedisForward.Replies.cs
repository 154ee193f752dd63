using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating;

/// <content>Answers, taken from the upstream of the oldest command and written to the client.</content>
internal sealed partial class RedisForward
{
    private const int NotParked = -2;
    private const int OnSignal = -3;

    /// <summary>What the reply loop waits for: the answer of an upstream, or the signal that there is work.</summary>
    private int _parked = NotParked;

    /// <summary>Upstream that answered last: read while nothing is due, so that its end is seen at once.</summary>
    private int _lastRead = OnSignal;

    private bool _downDirty;
    private bool _flushingDown;
    private EndedBy _repliesWaitOn;

    private async Task RepliesAsync()
    {
        try
        {
            while (!_ending)
            {
                AnswerLocals();
                if (_downDirty)
                {
                    _repliesWaitOn = EndedBy.Downstream;
                    _downDirty = false;
                    ValueTask<FlushResult> flush = _down.Output.FlushAsync();
                    _flushingDown = !flush.IsCompletedSuccessfully;
                    FlushResult flushed = flush.IsCompletedSuccessfully ? flush.Result : await AwaitClientAsync(flush);
                    _flushingDown = false;
                    if (flushed.IsCompleted || _ending)
                    {
                        break;
                    }

                    MakeRoom();
                    continue;
                }

                if (_ring.IsEmpty && _requestsDone && _raw < 0)
                {
                    break;
                }

                _parked = _ring.IsEmpty ? (_raw >= 0 ? _raw : _lastRead) : _ring.Head.Upstream;
                if (_parked == OnSignal)
                {
                    await _work.WaitAsync();
                    _parked = NotParked;
                    continue;
                }

                _repliesWaitOn = EndedBy.Upstream;
                _lastRead = _parked;
                RedisUpstream upstream = _upstreams[_parked];
                ValueTask<ReadResult> reading = upstream.Input.ReadAsync();
                ReadResult read = reading.IsCompletedSuccessfully ? reading.Result : await reading;
                _parked = NotParked;
                if (_ending || !TakeRead(upstream, read))
                {
                    break;
                }
            }
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            FailOn(_repliesWaitOn, e, "replies");
        }
    }

    [System.Runtime.CompilerServices.AsyncMethodBuilder(typeof(System.Runtime.CompilerServices.PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> AwaitClientAsync(ValueTask<FlushResult> flush)
    {
        FlushResult flushed = await flush;
        _lastReply = Stopwatch.GetTimestamp();
        return flushed;
    }

    private void AnswerLocals()
    {
        while (!_ring.IsEmpty && _ring.Head.Upstream == RedisPending.Local)
        {
            byte[] reply = _local.Dequeue();
            _down.Output.Write(reply);
            _record.BytesSent += reply.Length;
            _downDirty = true;
            _stats.Answered(_ring.Head.Command, reply[0] == '-', 0);
            _ring.RemoveHead();
        }
    }

    /// <summary>Passes on what was read; false when the connection is to end.</summary>
    private bool TakeRead(RedisUpstream upstream, in ReadResult read)
    {
        ReadOnlySequence<byte> buffer = read.Buffer;
        bool relaying = _ring.IsEmpty && _raw >= 0;
        if (_ring.IsEmpty && !relaying && !buffer.IsEmpty)
        {
            upstream.Input.AdvanceTo(buffer.Start);
            _record.Fail(ResponseFlags.UPE, EndedBy.Proxy, "redis_reply_without_request");
            return false;
        }

        long taken = relaying ? Relay(buffer) : TakeReplies(upstream, buffer);
        SequencePosition end = buffer.GetPosition(Math.Max(taken, 0));
        upstream.Input.AdvanceTo(end);
        if (!buffer.IsEmpty)
        {
            _lastReply = _lastActivity = Stopwatch.GetTimestamp();
        }

        if (taken < 0)
        {
            _record.Fail(ResponseFlags.UPE, EndedBy.Proxy, "redis_reply_malformed");
            return false;
        }

        return !read.IsCompleted || taken < buffer.Length || EndOfUpstream();
    }

    /// <summary>The server closed. What was passed on before is still to be written, so the flush comes first.</summary>
    private bool EndOfUpstream()
    {
        bool owed = !_ring.IsEmpty;
        if (owed)
        {
            _record.Fail(ResponseFlags.UC, EndedBy.Upstream, "redis_upstream_closed_with_commands_in_flight");
        }
        else if (!_requestsDone)
        {
            _record.EndedBy = EndedBy.Upstream;
        }

        return false;
    }

    private long Relay(in ReadOnlySequence<byte> buffer)
    {
        WriteDown(buffer);
        return buffer.Length;
    }

    /// <summary>Takes the replies that are due from this upstream now, those before a malformed one too. Bytes taken, or -1 when there
    /// was a malformed one.</summary>
    private long TakeReplies(RedisUpstream upstream, in ReadOnlySequence<byte> buffer)
    {
        short index = (short)_lastRead;
        long now = Stopwatch.GetTimestamp();
        long start = 0;
        long at = 0;
        while (at < buffer.Length && !_ring.IsEmpty && _ring.Head.Upstream == index)
        {
            long whole = at;
            ScanStatus status = ScanReply(upstream, buffer, ref at);
            bool hidden = _ring.Head.Hidden;
            if (status == ScanStatus.Bad)
            {
                WriteDown(buffer.Slice(start, whole - start));
                return -1;
            }

            if (hidden)
            {
                start = at;
            }

            if (status == ScanStatus.More)
            {
                break;
            }

            EndReply(upstream, now);
            if (!_ring.IsEmpty && _ring.Head.Hidden)
            {
                WriteDown(buffer.Slice(start, at - start));
                start = at;
            }
        }

        WriteDown(buffer.Slice(start, at - start));
        return at;
    }

    private static ScanStatus ScanReply(RedisUpstream upstream, in ReadOnlySequence<byte> buffer, ref long at)
    {
        if (buffer.IsSingleSegment)
        {
            ScanStatus status = upstream.Replies.Scan(buffer.FirstSpan[(int)at..], ref upstream.Reply, out int consumed);
            at += consumed;
            return status;
        }

        foreach (ReadOnlyMemory<byte> segment in buffer.Slice(at))
        {
            ScanStatus status = upstream.Replies.Scan(segment.Span, ref upstream.Reply, out int consumed);
            at += consumed;
            if (status != ScanStatus.More)
            {
                return status;
            }
        }

        return ScanStatus.More;
    }

    private void EndReply(RedisUpstream upstream, long now)
    {
        // A push answers nothing: it goes to the client and the oldest command stays due.
        if (upstream.Reply.Kind == FrameKind.Push)
        {
            return;
        }

        if (!_ring.Head.Hidden)
        {
            _stats.Answered(_ring.Head.Command, upstream.Reply.Kind == FrameKind.ErrorResponse, now - _ring.Head.Timestamp);
        }

        _ring.RemoveHead();
    }

    private void WriteDown(in ReadOnlySequence<byte> bytes)
    {
        foreach (ReadOnlyMemory<byte> part in bytes)
        {
            _down.Output.Write(part.Span);
            _record.BytesSent += part.Length;
            _downDirty |= part.Length > 0;
        }
    }

    private void MakeRoom()
    {
        if (_ring.Count < RedisPendingRing.Capacity / 2)
        {
            _room.Set();
        }
    }

    /// <summary>Moves the reply loop on when it waits for something else than what is due now.</summary>
    private void WakeReplies()
    {
        bool due = !_ring.IsEmpty;
        if (_parked == NotParked || (due && _ring.Head.Upstream == _parked) || (!due && (_raw >= 0 ? _raw == _parked : !_requestsDone)))
        {
            return;
        }

        if (_parked == OnSignal)
        {
            _work.Set();
        }
        else
        {
            _upstreams[_parked].Input.CancelPendingRead();
        }
    }
}

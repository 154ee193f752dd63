using System.Diagnostics;
using System.IO.Pipelines;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <content>Time-outs, drain and the end.</content>
internal sealed partial class RedisForward
{
    /// <summary>Time a client has to take the last answers; who never reads would hold its connection for ever.</summary>
    private static readonly TimeSpan LastWordsLimit = TimeSpan.FromSeconds(5);

    private long _lastActivity;
    private long _endingSince;
    private bool _flushingLast;

    /// <summary>When bytes last came from an upstream, or the client last took some.</summary>
    private long _lastReply;

    /// <summary>To be called by a timer of the loop, about as often as time-outs shall be exact.</summary>
    /// <param name="now">Stopwatch ticks.</param>
    public void Tick(long now)
    {
        if (_ending)
        {
            TickEnding(now);
            return;
        }

        // The clock of a command runs while its server owes bytes: not while the client reads slowly, nor behind BLPOP.
        bool waits = !_ring.IsEmpty && _repliesWaitOn == EndedBy.Upstream && (RedisCommandTable.Get(_ring.Head.Command).Flags & RedisCommandFlags.Blocking) == 0;
        if (waits && _snapshot.OpTimeout > TimeSpan.Zero && Stopwatch.GetElapsedTime(Math.Max(_ring.Head.Timestamp, _lastReply), now) > _snapshot.OpTimeout)
        {
            Abort(ResponseFlags.UT, "redis_op_timeout");
        }
        else if (_snapshot.IdleTimeout > TimeSpan.Zero && Stopwatch.GetElapsedTime(_lastActivity, now) > _snapshot.IdleTimeout)
        {
            Abort(ResponseFlags.SI, "idle_timeout");
        }
    }

    /// <summary>
    /// Takes no more commands than have been read, and the rest of one whose first bytes were forwarded; ends when the answers due
    /// are written: at once when there are none.
    /// </summary>
    public void Drain()
    {
        if (_ending || _draining)
        {
            return;
        }

        _draining = true;
        _record.EndedBy = EndedBy.Proxy;
        _record.Details ??= "drain";
        _down.Input.CancelPendingRead();
    }

    /// <summary>Ends now, for a reason of this proxy.</summary>
    /// <param name="flag">For the record.</param>
    /// <param name="details">For the record, in snake case.</param>
    public void Abort(ResponseFlags flag, string details)
    {
        _record.Fail(flag, EndedBy.Proxy, details);
        Stop();
    }

    private void TickEnding(long now)
    {
        _endingSince = _endingSince == 0 ? now : _endingSince;
        if (_flushingLast && Stopwatch.GetElapsedTime(_endingSince, now) > LastWordsLimit)
        {
            _record.Fail(ResponseFlags.SI, EndedBy.Downstream, "redis_last_answers_not_read");
            _down.Output.CancelPendingFlush();
        }
    }

    private void FailOn(EndedBy side, Exception error, string during)
    {
        if (_ending)
        {
            return;
        }

        if (error is not (IOException or System.Net.Sockets.SocketException or InvalidOperationException))
        {
            _record.Fail(ResponseFlags.LR, EndedBy.Proxy, "redis_internal_error_" + error.GetType().Name);
            return;
        }

        _record.Fail(
            side == EndedBy.Downstream ? ResponseFlags.DC : ResponseFlags.UC,
            side,
            side == EndedBy.Downstream ? $"redis_downstream_reset_in_{during}" : $"redis_upstream_reset_in_{during}");
    }

    /// <summary>Makes both loops return from whatever they wait for. May be called more than once.</summary>
    private void Stop()
    {
        _ending = true;
        _down.Input.CancelPendingRead();
        if (_flushingDown)
        {
            // Only then: a cancel without a flush would fall on the next one, which carries the last answers.
            _down.Output.CancelPendingFlush();
        }

        foreach (RedisUpstream upstream in _upstreams)
        {
            upstream.Input.CancelPendingRead();
            if (upstream.HasFlush && !upstream.IsSent)
            {
                upstream.Output.CancelPendingFlush();
            }
        }

        _room.Set();
        _work.Set();
    }

    private async ValueTask CompleteAsync()
    {
        if (_downDirty)
        {
            _flushingLast = true;
            await TryFlushAsync(_down.Output);
            _flushingLast = false;
        }

        foreach (RedisUpstream upstream in _upstreams)
        {
            if (!upstream.IsSent)
            {
                await upstream.Output.CompleteAsync();
            }

            await upstream.Input.CompleteAsync();
        }

        await _down.Output.CompleteAsync();
        await _down.Input.CompleteAsync();
    }

    /// <summary>Last words to a client that may be gone.</summary>
    private static async ValueTask TryFlushAsync(PipeWriter output)
    {
        try
        {
            await output.FlushAsync();
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or System.Net.Sockets.SocketException)
        {
            // The record already tells how it ended.
        }
    }
}

using System.Threading.Tasks.Sources;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Relaying;

/// <summary>
/// Relays between two sockets until both ends are done, one fails, the idle time passes or it is cancelled. Owns the
/// two sockets' events while it runs and leaves closing them to the caller, except that a reset is passed on.
/// </summary>
internal sealed class SocketRelay : ISocketOwner, IValueTaskSource<RelayOutcome>
{
    private readonly LoopSocket _downstream;
    private readonly LoopSocket _upstream;
    private readonly TimeSpan _idleTimeout;
    private readonly LoopTimer? _idleTimer;
    private ManualResetValueTaskSourceCore<RelayOutcome> _done;
    private long _lastActivity;
    private bool _finished;

    public SocketRelay(LoopSocket downstream, LoopSocket upstream, TimeSpan idleTimeout, bool allowSplice = true)
    {
        _downstream = downstream;
        _upstream = upstream;
        _idleTimeout = idleTimeout;
        ToUpstream = new RelayDirection(downstream, upstream) { AllowSplice = allowSplice };
        ToDownstream = new RelayDirection(upstream, downstream) { AllowSplice = allowSplice };
        (ToUpstream.Opposite, ToDownstream.Opposite) = (ToDownstream, ToUpstream);
        if (idleTimeout > TimeSpan.Zero)
        {
            _idleTimer = new LoopTimer(static relay => ((SocketRelay)relay!).CheckIdle(), this);
        }
    }

    public RelayDirection ToUpstream { get; }

    public RelayDirection ToDownstream { get; }

    /// <summary>Takes the sockets over. Bytes already read from downstream go through <see cref="RelayDirection.Prepend"/> before.</summary>
    public ValueTask<RelayOutcome> RunAsync()
    {
        _downstream.Owner = this;
        _upstream.Owner = this;
        _lastActivity = _downstream.Loop.NowMilliseconds;
        if (_idleTimer is not null)
        {
            _downstream.Loop.Timers.Arm(_idleTimer, _idleTimeout);
        }

        Pump();
        return new ValueTask<RelayOutcome>(this, _done.Version);
    }

    /// <summary>Ends the relay from outside (drain deadline, maximum duration). Both sides are reset.</summary>
    public void Cancel(ResponseFlags flags, string details) => Finish(new RelayOutcome(flags, EndedBy.Proxy, details), reset: true);

    /// <summary>Ends the relay from outside in order, unless bytes that were read wait to be delivered: then nothing happens.</summary>
    public bool TryEnd(ResponseFlags flags, string details)
    {
        if (ToUpstream.HoldsBytes || ToDownstream.HoldsBytes)
        {
            return false;
        }

        Finish(new RelayOutcome(flags, EndedBy.Proxy, details, InOrder: true), reset: false);
        return true;
    }

    public void OnSocketReady(LoopSocket socket)
    {
        _lastActivity = socket.Loop.NowMilliseconds;
        Pump();
    }

    RelayOutcome IValueTaskSource<RelayOutcome>.GetResult(short token) => _done.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<RelayOutcome>.GetStatus(short token) => _done.GetStatus(token);

    void IValueTaskSource<RelayOutcome>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);

    private void Pump()
    {
        if (_finished)
        {
            return;
        }

        bool moreUp = ToUpstream.Pump();
        bool moreDown = ToDownstream.Pump();
        if (ToUpstream.WriteFailure != 0 && !ToDownstream.Ended)
        {
            // Upstream takes no more, but what it said before may still be waiting to be read.
            _upstream.Readable = true;
            moreDown = ToDownstream.Pump();
        }

        if (Ending() is { } outcome)
        {
            Finish(outcome, reset: outcome.Flags != ResponseFlags.None);
            return;
        }

        if (!moreUp && _downstream.Failed && SocketTuning.TakeError(_downstream.Fd) != 0)
        {
            // Its reset would be met by the next read, but an upstream that takes no bytes lets none happen.
            Finish(new RelayOutcome(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset"), reset: true);
            return;
        }

        if (moreUp)
        {
            _downstream.Loop.Requeue(_downstream);
        }

        if (moreDown)
        {
            _upstream.Loop.Requeue(_upstream);
        }
    }

    private RelayOutcome? Ending()
    {
        if (ToUpstream.ReadFailure != 0 || ToDownstream.WriteFailure != 0 || ClientResetUnread())
        {
            return new RelayOutcome(ResponseFlags.DC, EndedBy.Downstream, "downstream_reset");
        }

        if (ToDownstream.ReadFailure != 0)
        {
            return new RelayOutcome(ResponseFlags.UC, EndedBy.Upstream, "upstream_reset");
        }

        if (!ToUpstream.Ended || !ToDownstream.Ended)
        {
            return null;
        }

        return ToUpstream.WriteFailure != 0
            ? new RelayOutcome(ResponseFlags.None, EndedBy.Upstream, null)
            : new RelayOutcome(ResponseFlags.None, EndedBy.Both, null);
    }

    /// <summary>
    /// A client that reset while upstream does not read: nothing is received meanwhile, so the socket itself is asked.
    /// Not so for upstream, whose last bytes may still be wanted by a slow client.
    /// </summary>
    private bool ClientResetUnread() =>
        _downstream.Failed && !ToUpstream.Ended && ToUpstream.HoldsBytes && SocketTuning.TakeError(_downstream.Fd) != 0;

    private void CheckIdle()
    {
        TimeSpan idle = TimeSpan.FromMilliseconds(_downstream.Loop.NowMilliseconds - _lastActivity);
        if (idle >= _idleTimeout)
        {
            Finish(new RelayOutcome(ResponseFlags.SI, EndedBy.Proxy, "idle_timeout"), reset: false);
        }
        else
        {
            _downstream.Loop.Timers.Arm(_idleTimer!, _idleTimeout - idle);
        }
    }

    private void Finish(RelayOutcome outcome, bool reset)
    {
        if (_finished)
        {
            return;
        }

        _finished = true;
        ToUpstream.Release();
        ToDownstream.Release();
        if (_idleTimer is not null)
        {
            _downstream.Loop.Timers.Cancel(_idleTimer);
        }

        if (reset)
        {
            _downstream.Abort();
            _upstream.Abort();
        }

        _downstream.Owner = null;
        _upstream.Owner = null;
        _done.SetResult(outcome);
    }
}

using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>The time budget of sniffing: wakes the reader once, and says whether the connection may go on unclassified.</summary>
internal sealed class SniffDeadline : IDisposable
{
    private readonly Downstream _downstream;
    private readonly LoopTimer? _timer;
    private bool _passed;

    public SniffDeadline(Downstream downstream)
    {
        _downstream = downstream;
        if (downstream.Listener.ListenerFiltersTimeout > TimeSpan.Zero)
        {
            _timer = new LoopTimer(static state => ((SniffDeadline)state!).Pass(), this);
            downstream.Loop.Timers.Arm(_timer, downstream.Listener.ListenerFiltersTimeout);
        }
    }

    /// <summary>False when the time is up on a listener that does not continue.</summary>
    public bool MayGoOn => !_passed || _downstream.Listener.ContinueOnListenerFiltersTimeout;

    public SniffVerdict Refusal { get; } = SniffVerdict.Reject("listener_filters_timeout");

    public void Dispose()
    {
        if (_timer is not null)
        {
            _downstream.Loop.Timers.Cancel(_timer);
        }
    }

    private void Pass()
    {
        _passed = true;
        _downstream.Pipe.Input.CancelPendingRead();
    }
}

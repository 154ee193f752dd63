namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Timers that fire once and are forgotten. Safe from any thread.</summary>
/// <param name="time">Has the timers; null for the system's.</param>
internal sealed class OneShotTimers(TimeProvider? time = null) : IDisposable
{
    private readonly HashSet<ITimer> _timers = [];
    private bool _disposed;

    /// <summary>Runs <paramref name="action"/> once, on a pool thread, unless disposed before.</summary>
    public void Start(TimeSpan after, Action action)
    {
        lock (_timers)
        {
            if (_disposed)
            {
                return;
            }

            ITimer? timer = null;
            timer = (time ?? TimeProvider.System).CreateTimer(_ => Fire(timer!, action), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _timers.Add(timer);
            timer.Change(after, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        lock (_timers)
        {
            _disposed = true;
            foreach (ITimer timer in _timers)
            {
                timer.Dispose();
            }

            _timers.Clear();
        }
    }

    private void Fire(ITimer timer, Action action)
    {
        lock (_timers)
        {
            if (!_timers.Remove(timer))
            {
                return;
            }

            timer.Dispose();
        }

        action();
    }
}

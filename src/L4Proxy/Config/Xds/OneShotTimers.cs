namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Timers that fire once and are forgotten. Safe from any thread.</summary>
internal sealed class OneShotTimers : IDisposable
{
    private readonly HashSet<Timer> _timers = [];
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

            Timer? timer = null;
            timer = new Timer(_ => Fire(timer!, action));
            _timers.Add(timer);
            timer.Change(after, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        lock (_timers)
        {
            _disposed = true;
            foreach (Timer timer in _timers)
            {
                timer.Dispose();
            }

            _timers.Clear();
        }
    }

    private void Fire(Timer timer, Action action)
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

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Resources with a time to live: each has one timer, which a heartbeat or a new version sets anew. Safe from any thread.</summary>
/// <param name="exclusively">Runs what it is given while no resource is taken: a timer that fires meanwhile finds out there that it was renewed.</param>
/// <param name="time">Has the timers.</param>
internal sealed class ResourceLifetimes(Action<Action> exclusively, TimeProvider time) : IDisposable
{
    private readonly Dictionary<(string TypeUrl, string Name), ITimer> _timers = [];
    private bool _disposed;

    /// <summary>Sets the time of a resource; without one it lives for ever.</summary>
    /// <param name="key">Type and name.</param>
    /// <param name="timeToLive">Null for ever.</param>
    /// <param name="expired">Called when the time is over, exclusively.</param>
    public void Renew((string TypeUrl, string Name) key, TimeSpan? timeToLive, Action expired)
    {
        lock (_timers)
        {
            if (_timers.Remove(key, out ITimer? before))
            {
                before.Dispose();
            }

            if (timeToLive is { } wait && !_disposed)
            {
                ITimer? timer = null;
                timer = time.CreateTimer(_ => Expire(key, timer!, expired), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                _timers[key] = timer;
                timer.Change(wait, Timeout.InfiniteTimeSpan);
            }
        }
    }

    public void Dispose()
    {
        lock (_timers)
        {
            _disposed = true;
            foreach (ITimer timer in _timers.Values)
            {
                timer.Dispose();
            }

            _timers.Clear();
        }
    }

    private void Expire((string TypeUrl, string Name) key, ITimer timer, Action expired) => exclusively(() =>
    {
        if (IsOver(key, timer))
        {
            expired();
        }
    });

    /// <summary>False when the resource was renewed while this timer was on its way.</summary>
    private bool IsOver((string TypeUrl, string Name) key, ITimer timer)
    {
        lock (_timers)
        {
            if (_timers.GetValueOrDefault(key) != timer)
            {
                return false;
            }

            timer.Dispose();
            return _timers.Remove(key);
        }
    }
}

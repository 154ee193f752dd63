namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Resources with a time to live: each has one timer, which a heartbeat or a new version sets anew. Safe from any thread.</summary>
internal sealed class ResourceLifetimes : IDisposable
{
    private readonly Dictionary<(string TypeUrl, string Name), Timer> _timers = [];
    private bool _disposed;

    /// <summary>Sets the time of a resource; without one it lives for ever.</summary>
    /// <param name="key">Type and name.</param>
    /// <param name="timeToLive">Null for ever.</param>
    /// <param name="expired">Called when the time is over, on a pool thread.</param>
    public void Renew((string TypeUrl, string Name) key, TimeSpan? timeToLive, Action expired)
    {
        lock (_timers)
        {
            if (_timers.Remove(key, out Timer? before))
            {
                before.Dispose();
            }

            if (timeToLive is { } wait && !_disposed)
            {
                Timer? timer = null;
                timer = new Timer(_ => Expire(key, timer!, expired));
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
            foreach (Timer timer in _timers.Values)
            {
                timer.Dispose();
            }

            _timers.Clear();
        }
    }

    private void Expire((string TypeUrl, string Name) key, Timer timer, Action expired)
    {
        lock (_timers)
        {
            // Renewed while this one was on its way.
            if (_timers.GetValueOrDefault(key) != timer)
            {
                return;
            }

            _timers.Remove(key);
            timer.Dispose();
        }

        expired();
    }
}

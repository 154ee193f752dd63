using System.Collections.Concurrent;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>
/// Which EDS clusters are used, when their endpoints are subscribed to by the first connection and given up again when nobody has
/// used them for a while. Loops tell of use without a lock; whoever follows <see cref="Changed"/> subscribes.
/// </summary>
internal sealed class LazyEndpoints : IDisposable
{
    private static readonly TimeSpan ShortestLook = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<string, ClusterUse> _used = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ClusterUse> _awaited = new(StringComparer.Ordinal);
    private readonly SnapshotStore _store;
    private readonly TimeSpan _idle;
    private readonly Timer _timer;

    /// <param name="hold">How long a connection waits for the endpoints of its cluster.</param>
    /// <param name="idle">How long a cluster without connections keeps its endpoints.</param>
    /// <param name="store">Tells when endpoints are there.</param>
    public LazyEndpoints(TimeSpan hold, TimeSpan idle, SnapshotStore store)
    {
        (Hold, _idle, _store) = (hold, idle, store);
        TimeSpan look = idle / 4 > ShortestLook ? idle / 4 : ShortestLook;
        _timer = new Timer(static set => ((LazyEndpoints)set!).GiveUpIdle(), this, look, look);
        store.Swapped += Swapped;
    }

    /// <summary>How long a connection waits for the endpoints of its cluster.</summary>
    public TimeSpan Hold { get; }

    /// <summary>Told on a pool thread when a cluster begins or ends to be used.</summary>
    public Action Changed { get; set; } = static () => { };

    /// <summary>Whether endpoints of a source that are given up could be asked for again: while its control plane does not answer, none are.</summary>
    public Func<string, bool> CanAsk { get; set; } = static _ => true;

    /// <summary>Clusters whose endpoints are wanted now.</summary>
    public int Count => _used.Count;

    /// <summary>Whether the endpoints of the cluster are wanted.</summary>
    public bool IsUsed(string cluster) => _used.ContainsKey(cluster);

    /// <summary>A connection needs the cluster; the task ends, on a pool thread, when its endpoints are known. Any thread.</summary>
    public Task Use(ClusterSnapshot cluster)
    {
        if (_used.TryGetValue(cluster.Name, out ClusterUse? known))
        {
            known.Touch();
            return known.Known;
        }

        var created = new ClusterUse();
        ClusterUse use = _used.GetOrAdd(cluster.Name, created);
        if (use == created)
        {
            _awaited[cluster.Name] = use;
            Look(cluster.Name, use, _store.Current); // they may have come meanwhile
            Task.Run(Changed);
        }

        return use.Known;
    }

    /// <summary>The cluster as it is now; as it was when it is gone.</summary>
    public ClusterSnapshot Newest(ClusterSnapshot cluster) => _store.Current.Clusters.GetValueOrDefault(cluster.Name) ?? cluster;

    public void Dispose()
    {
        _store.Swapped -= Swapped;
        _timer.Dispose();
    }

    private void Swapped(ProxySnapshot previous, ProxySnapshot current)
    {
        foreach ((string name, ClusterUse use) in _awaited)
        {
            Look(name, use, current);
        }
    }

    private void Look(string name, ClusterUse use, ProxySnapshot current)
    {
        if (!current.Clusters.TryGetValue(name, out ClusterSnapshot? cluster) || cluster.EndpointsKnown)
        {
            _awaited.TryRemove(name, out _);
            use.SetKnown();
        }
    }

    private void GiveUpIdle()
    {
        bool any = false;
        foreach ((string name, ClusterUse use) in _used)
        {
            if (_store.Current.Clusters.TryGetValue(name, out ClusterSnapshot? cluster) && (cluster.State.ActiveConnections > 0 || !CanAsk(cluster.EdsSource)))
            {
                use.Touch();
            }
            else if (use.IdleFor > _idle && _used.TryRemove(name, out _))
            {
                _awaited.TryRemove(name, out _);
                use.SetKnown();
                any = true;
            }
        }

        if (any)
        {
            Changed();
        }
    }

    private sealed class ClusterUse
    {
        private readonly TaskCompletionSource _known = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long _at = Environment.TickCount64;

        public Task Known => _known.Task;

        public TimeSpan IdleFor => TimeSpan.FromMilliseconds(Environment.TickCount64 - Volatile.Read(ref _at));

        public void Touch() => Volatile.Write(ref _at, Environment.TickCount64);

        public void SetKnown() => _known.TrySetResult();
    }
}

using System.Collections.Concurrent;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>Live state of clusters by name, so that counters outlive a change of configuration.</summary>
internal sealed class ClusterStateRegistry
{
    private readonly ConcurrentDictionary<string, ClusterState> _states = new(StringComparer.Ordinal);

    /// <summary>All states: of the running clusters, and of removed ones that still have connections.</summary>
    public ICollection<ClusterState> All => _states.Values;

    /// <summary>The state of the cluster, made when it is new.</summary>
    public ClusterState Get(string name) => _states.GetOrAdd(name, static created => new ClusterState(created));

    /// <summary>Forgets a cluster unless it still has connections; true when it is gone.</summary>
    public bool Remove(string name)
    {
        if (_states.TryGetValue(name, out ClusterState? state) && state.ActiveConnections > 0)
        {
            state.Retain([]);
            return false;
        }

        _states.TryRemove(name, out _);
        return true;
    }
}

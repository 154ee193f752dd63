namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>Holds the running snapshot. Readers take it with one volatile read; writers are serialised by a lock.</summary>
internal sealed class SnapshotStore
{
    private readonly Lock _writing = new();
    private ProxySnapshot _current = ProxySnapshot.Empty;

    public ProxySnapshot Current => Volatile.Read(ref _current);

    /// <summary>Raised after each swap on the writer's thread with (previous, current), in order.</summary>
    public event Action<ProxySnapshot, ProxySnapshot>? Swapped;

    /// <summary>Publishes <paramref name="next"/> with the next version number and returns what was published.</summary>
    public ProxySnapshot Swap(ProxySnapshot next)
    {
        lock (_writing)
        {
            ProxySnapshot previous = _current;
            ProxySnapshot current = next with { Version = previous.Version + 1 };
            Volatile.Write(ref _current, current);
            Swapped?.Invoke(previous, current);
            return current;
        }
    }
}

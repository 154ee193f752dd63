namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Bounds how long names are waited for. A name that went and came back waits anew, whatever the timer of its first wait says. Whose lock
/// guards the names guards this object.
/// </summary>
/// <param name="time">Measures the waits; null for the system's.</param>
internal sealed class NamedWaits<TName>(TimeProvider? time) : IDisposable
    where TName : notnull
{
    private readonly Dictionary<TName, object> _waits = [];
    private readonly OneShotTimers _timers = new(time);

    /// <summary>One timer for names that came with one change. One that is waited for already goes on in the same wait.</summary>
    /// <param name="longest">How long; zero for ever.</param>
    /// <param name="names">The names.</param>
    /// <param name="over">Told on a pool thread. It is given what tells, under the lock, whether a name is still in this wait.</param>
    public void Begin(TimeSpan longest, IReadOnlyCollection<TName> names, Action<Func<TName, bool>> over)
    {
        var begun = new Dictionary<TName, object>(names.Count);
        object wait = new();
        foreach (TName name in names)
        {
            _waits.TryAdd(name, wait);
            begun[name] = _waits[name];
        }

        if (longest > TimeSpan.Zero)
        {
            _timers.Start(longest, () => over(name => begun[name] == _waits.GetValueOrDefault(name)));
        }
    }

    /// <summary>A name is not waited for any more.</summary>
    public void Forget(TName name) => _waits.Remove(name);

    public void Dispose() => _timers.Dispose();
}

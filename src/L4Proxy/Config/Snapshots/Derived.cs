namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// A place in a snapshot for what the data path makes of it at first use. It lives as long as the snapshot, and unlike an entry of a weak
/// table it costs the collector nothing: ten thousand of those take it milliseconds each time. A copy of the snapshot begins with an empty
/// place, and equality does not look at it. Safe from any thread.
/// </summary>
/// <typeparam name="T">What is made; immutable.</typeparam>
internal struct Derived<T> : IEquatable<Derived<T>>
    where T : class
{
    private Entry? _entry;

    /// <summary>What was made of <paramref name="owner"/>; null before first use.</summary>
    public readonly T? Of(object owner) => _entry is { } entry && ReferenceEquals(entry.Owner, owner) ? entry.Value : null;

    /// <summary>Keeps <paramref name="made"/>, unless another thread was faster: returns what is kept.</summary>
    public T Add(object owner, T made) => Replace(owner, null, made);

    /// <summary>Keeps <paramref name="made"/> in place of <paramref name="known"/>, unless another thread was faster: returns what is kept.</summary>
    public T Replace(object owner, T? known, T made)
    {
        Entry? before = _entry;
        if (before is not null && ReferenceEquals(before.Owner, owner) && before.Value != known)
        {
            return before.Value;
        }

        Entry? now = Interlocked.CompareExchange(ref _entry, new Entry(owner, made), before);
        return ReferenceEquals(now, before) ? made : now!.Value;
    }

    /// <inheritdoc/>
    public readonly bool Equals(Derived<T> other) => true;

    /// <inheritdoc/>
    public override readonly bool Equals(object? obj) => obj is Derived<T>;

    /// <inheritdoc/>
    public override readonly int GetHashCode() => 0;

    private sealed class Entry(object owner, T value)
    {
        public object Owner => owner;

        public T Value => value;
    }
}

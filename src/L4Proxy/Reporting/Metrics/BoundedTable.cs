using System.Collections.Concurrent;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>
/// Counters by configured names, of which there may be more than anybody wants to see: names beyond the bound share entries. A lookup takes
/// no lock, also of a name that has no entry of its own. Any thread.
/// </summary>
/// <param name="beyond">The key that stands for one beyond the bound.</param>
/// <param name="make">Makes an entry.</param>
internal sealed class BoundedTable<TKey, TValue>(Func<TKey, TKey> beyond, Func<TKey, TValue> make)
    where TKey : notnull
{
    /// <summary>Names kept.</summary>
    public const int MaxNames = 4096;

    /// <summary>What names beyond the bound are called.</summary>
    public const string Other = "other";

    private readonly ConcurrentDictionary<TKey, TValue> _entries = new();

    // The dictionary would stop everybody to count.
    private int _count;

    /// <summary>The entries, as they are now.</summary>
    public ICollection<TValue> Values => _entries.Values;

    /// <summary>The entry of a key, made at first.</summary>
    public TValue Get(TKey key)
    {
        if (_entries.TryGetValue(key, out TValue? known))
        {
            return known;
        }

        TKey kept = Volatile.Read(ref _count) < MaxNames ? key : beyond(key);
        return _entries.TryGetValue(kept, out known) ? known : _entries.GetOrAdd(kept, Make);
    }

    private TValue Make(TKey key)
    {
        Interlocked.Increment(ref _count);
        return make(key);
    }
}

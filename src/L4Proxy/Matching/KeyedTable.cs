namespace MeshL4.L4Proxy.Matching;

/// <summary>Exact keys, and one entry for the chains that do not restrict the criterion.</summary>
internal sealed class KeyedTable<TKey, T>
    where TKey : notnull
    where T : class, new()
{
    private readonly Dictionary<TKey, T> _byKey = [];
    private T? _any;

    /// <summary>Chains without this criterion; null when there are none.</summary>
    public T? Any => _any;

    public T GetOrAddAny() => _any ??= new T();

    public T GetOrAdd(TKey key)
    {
        if (!_byKey.TryGetValue(key, out T? entry))
        {
            _byKey[key] = entry = new T();
        }

        return entry;
    }

    /// <summary>The entry of exactly this key, never <see cref="Any"/>.</summary>
    public T? FindExact(TKey key) => _byKey.GetValueOrDefault(key);

    /// <summary>The entry of the key, else <see cref="Any"/>.</summary>
    public T? Find(TKey key) => FindExact(key) ?? _any;
}

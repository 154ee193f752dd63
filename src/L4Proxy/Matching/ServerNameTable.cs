namespace MeshL4.L4Proxy.Matching;

/// <summary>Server names: the exact name, then the longest wildcard suffix, then chains that name none.</summary>
internal sealed class ServerNameTable<T>
    where T : class, new()
{
    private readonly Dictionary<string, T> _exact = new(StringComparer.Ordinal);

    // ".example.com" for *.example.com.
    private readonly Dictionary<string, T> _suffixes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, T>.AlternateLookup<ReadOnlySpan<char>> _bySuffix;
    private T? _any;

    public ServerNameTable() => _bySuffix = _suffixes.GetAlternateLookup<ReadOnlySpan<char>>();

    public T GetOrAddAny() => _any ??= new T();

    /// <summary>The entry of a configured name; <c>*.example.com</c> is a wildcard for one or more labels in front.</summary>
    public T GetOrAdd(string name)
    {
        string lower = name.ToLowerInvariant();
        bool wildcard = lower.StartsWith("*.", StringComparison.Ordinal);
        Dictionary<string, T> names = wildcard ? _suffixes : _exact;
        string key = wildcard ? lower[1..] : lower;
        if (!names.TryGetValue(key, out T? entry))
        {
            names[key] = entry = new T();
        }

        return entry;
    }

    /// <summary>Takes the name as sniffed: lower case, or null.</summary>
    public T? Find(string? serverName)
    {
        if (string.IsNullOrEmpty(serverName))
        {
            return _any;
        }

        return _exact.TryGetValue(serverName, out T? exact) ? exact : FindSuffix(serverName) ?? _any;
    }

    private T? FindSuffix(ReadOnlySpan<char> name)
    {
        if (_suffixes.Count == 0)
        {
            return null;
        }

        // From the second character: the wildcard stands for at least one character. Left to right: longest suffix first.
        for (int i = 1; i < name.Length; i++)
        {
            if (name[i] == '.' && _bySuffix.TryGetValue(name[i..], out T? entry))
            {
                return entry;
            }
        }

        return null;
    }
}

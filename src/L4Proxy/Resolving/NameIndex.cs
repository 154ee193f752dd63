using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>Where a client's short names begin.</summary>
/// <param name="Domain">The mesh's domain below namespaces; empty for no short names.</param>
/// <param name="Namespace">The client's.</param>
/// <param name="Search">The search domain its resolver tries first; empty for none.</param>
internal sealed record NameContext(string Domain, string Namespace, string Search);

/// <summary>A name found.</summary>
/// <param name="Entry">Its host.</param>
/// <param name="BaseLength">Characters of the name without the search domain that a resolver put behind it.</param>
internal readonly record struct NameMatch(NameEntry Entry, int BaseLength);

/// <summary>
/// A name table in the eyes of one pod. A Kubernetes service <c>a</c> of namespace <c>n</c> in the domain <c>svc.d</c> is known as
/// <c>a.n.svc.d</c>, <c>a.n.svc</c>, <c>a.n</c> and, in its own namespace, <c>a</c>; a wildcard host stands for every name below it,
/// the longest first; and any of these with the first search domain behind it is an alias of the name without. Lookups allocate nothing.
/// </summary>
internal sealed class NameIndex
{
    private readonly Dictionary<string, NameEntry> _hosts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NameEntry> _services = new(StringComparer.Ordinal);
    private readonly Dictionary<string, NameEntry>.AlternateLookup<ReadOnlySpan<char>> _byHost;
    private readonly Dictionary<string, NameEntry>.AlternateLookup<ReadOnlySpan<char>> _byService;
    private readonly string _domainHead;
    private readonly string _home;
    private readonly string _search;
    private readonly bool _hasWildcards;

    /// <param name="table">Entries in order: the first of two that claim a name has it.</param>
    /// <param name="context">Whose questions are answered.</param>
    public NameIndex(NameTableSnapshot table, NameContext context)
    {
        Table = table;
        _search = context.Search.Length > 0 ? "." + context.Search : "";
        _home = "." + context.Namespace;
        _domainHead = context.Domain.Length > 0 ? "." + context.Domain.Split('.')[0] : "";
        foreach (NameEntry entry in table.Entries)
        {
            _hosts[entry.Host] = entry;
            _hasWildcards |= entry.Host.StartsWith("*.", StringComparison.Ordinal);
        }

        foreach (NameEntry entry in table.Entries)
        {
            foreach (string other in entry.OtherNames)
            {
                _hosts.TryAdd(other, entry);
            }

            // Of another cluster's domain the short names could mean two services.
            if (entry.ServiceName.Length > 0 && context.Domain.Length > 0 && entry.Host.EndsWith("." + context.Domain, StringComparison.Ordinal))
            {
                _services.TryAdd(entry.ServiceName, entry);
            }
        }

        _byHost = _hosts.GetAlternateLookup<ReadOnlySpan<char>>();
        _byService = _services.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>What it was made from.</summary>
    public NameTableSnapshot Table { get; }

    /// <summary>Finds a name in lower case without a final dot.</summary>
    public bool TryFind(ReadOnlySpan<char> name, out NameMatch match)
    {
        ReadOnlySpan<char> bare = _search.Length > 0 && name.Length > _search.Length && name.EndsWith(_search, StringComparison.Ordinal)
            ? name[..^_search.Length] : default;
        NameEntry? found = Known(name);
        if (found is not null)
        {
            match = new NameMatch(found, name.Length);
            return true;
        }

        found = bare.IsEmpty ? null : Known(bare) ?? Wildcard(bare);
        int length = found is null ? name.Length : bare.Length;
        found ??= Wildcard(name);
        match = found is null ? default : new NameMatch(found, length);
        return found is not null;
    }

    private NameEntry? Known(ReadOnlySpan<char> name)
    {
        if (_byHost.TryGetValue(name, out NameEntry? entry) || _services.Count == 0 || _byService.TryGetValue(name, out entry))
        {
            return entry;
        }

        if (name.EndsWith(_domainHead, StringComparison.Ordinal) && _byService.TryGetValue(name[..^_domainHead.Length], out entry))
        {
            return entry;
        }

        Span<char> full = stackalloc char[DnsQuery.LongestName];
        if (name.Length + _home.Length > full.Length)
        {
            return null;
        }

        name.CopyTo(full);
        _home.CopyTo(full[name.Length..]);
        return _byService.TryGetValue(full[..(name.Length + _home.Length)], out entry) ? entry : null;
    }

    private NameEntry? Wildcard(ReadOnlySpan<char> name)
    {
        if (!_hasWildcards)
        {
            return null;
        }

        Span<char> pattern = stackalloc char[DnsQuery.LongestName + 1];
        for (int dot = name.IndexOf('.'); dot >= 0;)
        {
            ReadOnlySpan<char> below = name[dot..];
            pattern[0] = '*';
            below.CopyTo(pattern[1..]);
            if (_byHost.TryGetValue(pattern[..(below.Length + 1)], out NameEntry? entry))
            {
                return entry;
            }

            int next = name[(dot + 1)..].IndexOf('.');
            dot = next < 0 ? -1 : dot + 1 + next;
        }

        return null;
    }
}

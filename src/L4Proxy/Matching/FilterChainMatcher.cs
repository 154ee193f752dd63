using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Matching;

/// <summary>Chooses the filter chain of a listener. Compiled once per listener snapshot: on first use, or before when that takes long.</summary>
internal sealed class FilterChainMatcher
{
    /// <summary>So many are compiled in some tens of microseconds.</summary>
    private const long QuickCombinations = 64;

    private readonly ImmutableArray<FilterChainSnapshot> _chains;
    private readonly FilterChainTable _table;

    private readonly ChainNameSelector? _selector;
    private readonly Dictionary<string, FilterChainSnapshot> _byName = new(StringComparer.Ordinal);

    private FilterChainMatcher(ListenerSnapshot listener)
    {
        _chains = listener.FilterChains;
        _selector = listener.ChainSelector;
        _table = FilterChainTable.Compile(_selector is null ? [.. _chains.Select(static c => c.Match)] : []);
        foreach (FilterChainSnapshot chain in _selector is null ? [] : _chains)
        {
            _byName[chain.Name] = chain;
        }
    }

    /// <summary>The matcher of a snapshot; any thread. Keyed by reference: a changed listener is another snapshot.</summary>
    public static FilterChainMatcher For(ListenerSnapshot listener)
        => listener.Matcher().Of(listener) ?? listener.Matcher().Add(listener, new FilterChainMatcher(listener));

    /// <summary>Called before a listener is published: what would keep an event loop from its connections is compiled here.</summary>
    public static void Prepare(ListenerSnapshot listener)
    {
        if (listener.ChainSelector is null && listener.FilterChains.Sum(static chain => chain.Match.Combinations) > QuickCombinations)
        {
            For(listener);
        }
    }

    /// <summary>Whether first use finds it compiled.</summary>
    public static bool IsPrepared(ListenerSnapshot listener) => listener.Matcher().Of(listener) is not null;

    /// <summary>The chain that takes the connection; null when none does: the listener's default chain is the caller's.</summary>
    public FilterChainSnapshot? Find(in MatchInput input)
    {
        if (_selector is not null)
        {
            return _selector(input) is { } name ? _byName.GetValueOrDefault(name) : null;
        }

        int index = _table.Find(input);
        return index < 0 ? null : _chains[index];
    }
}

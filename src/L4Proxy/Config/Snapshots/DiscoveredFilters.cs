using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>Puts the settings that came into the places of discovered filters. What stays the same keeps its object, so that connections go on.</summary>
/// <param name="resources">What came.</param>
internal sealed class DiscoveredFilters(DiscoveredResources resources)
{
    private readonly Dictionary<FilterChainSnapshot, FilterChainSnapshot> _filled = new(ReferenceEqualityComparer.Instance);

    /// <summary>The listeners of one resource as they can be published now.</summary>
    public ImmutableArray<ListenerSnapshot> Fill(ImmutableArray<ListenerSnapshot> listeners)
        => listeners.Any(static one => one.Chains.Any(HasPlaces)) ? [.. listeners.Select(one => one.WithChains(Fill))] : listeners;

    /// <summary>Keeps nothing of chains that are configured no longer.</summary>
    public void Retain(IEnumerable<ListenerSnapshot> configured)
    {
        if (_filled.Count > 0)
        {
            var live = new HashSet<FilterChainSnapshot>(configured.SelectMany(static one => one.Chains), ReferenceEqualityComparer.Instance);
            foreach (FilterChainSnapshot gone in _filled.Keys.Where(chain => !live.Contains(chain)).ToList())
            {
                _filled.Remove(gone);
            }
        }
    }

    private static bool HasPlaces(FilterChainSnapshot chain) => chain.Filters.Any(static filter => filter is DiscoveredFilterSnapshot);

    private FilterChainSnapshot Fill(FilterChainSnapshot chain)
    {
        if (!HasPlaces(chain))
        {
            return chain;
        }

        FilterChainSnapshot filled = Compose(chain);
        if (_filled.TryGetValue(chain, out FilterChainSnapshot? before) && IsSame(before, filled))
        {
            return before;
        }

        _filled[chain] = filled;
        return filled;
    }

    private FilterChainSnapshot Compose(FilterChainSnapshot chain)
    {
        var filters = ImmutableArray.CreateBuilder<NetworkFilterSnapshot>(chain.Filters.Length);
        TerminalSnapshot terminal = chain.Terminal;
        bool lacks = false;
        foreach (NetworkFilterSnapshot filter in chain.Filters)
        {
            if (filter is not DiscoveredFilterSnapshot place)
            {
                filters.Add(filter);
            }
            else if ((resources.Extension(place.Need) ?? place.Default) is { } settings)
            {
                terminal = settings.Filter.Terminal ?? terminal;
                if (settings.Filter.Filter is { } admitting)
                {
                    filters.Add(admitting);
                }
            }
            else
            {
                lacks = true;
            }
        }

        return chain with { Filters = filters.ToImmutable(), Terminal = terminal, LacksFilterConfig = lacks, Origin = chain };
    }

    private static bool IsSame(FilterChainSnapshot one, FilterChainSnapshot other)
        => one.LacksFilterConfig == other.LacksFilterConfig && ReferenceEquals(one.Terminal, other.Terminal)
            && one.Filters.AsSpan().SequenceEqual(other.Filters.AsSpan(), ReferenceEqualityComparer.Instance);
}

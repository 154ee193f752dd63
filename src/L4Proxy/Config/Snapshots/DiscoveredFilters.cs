using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>Puts the settings that came into the places of discovered filters. What stays the same keeps its object, so that connections go on.</summary>
/// <param name="resources">What came.</param>
/// <param name="rules">Which <c>tcp_proxy</c> a codec reads: one that is discovered, too.</param>
internal sealed class DiscoveredFilters(DiscoveredResources resources, Func<ImmutableArray<CodecRuleSnapshot>> rules)
{
    /// <summary>By the chain, then by the port of its listener, which a rule may ask for.</summary>
    private readonly Dictionary<FilterChainSnapshot, Dictionary<int, Filled>> _filled = new(ReferenceEqualityComparer.Instance);

    /// <summary>What came, in its places, and what a rule made of it.</summary>
    /// <param name="AsSent">What came.</param>
    /// <param name="Chain">What serves.</param>
    /// <param name="Fixed"><see cref="ExtensionSnapshot.Fixed"/> of its terminal.</param>
    private readonly record struct Filled(FilterChainSnapshot AsSent, FilterChainSnapshot Chain, UInt128? Fixed);

    /// <summary>The listeners of one resource as they can be published now.</summary>
    public ImmutableArray<ListenerSnapshot> Fill(ImmutableArray<ListenerSnapshot> listeners)
        => listeners.Any(static one => !one.Filters.Places.IsEmpty || one.Chains.Any(HasPlaces)) ? [.. listeners.Select(Fill)] : listeners;

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

    private ListenerSnapshot Fill(ListenerSnapshot listener)
    {
        ListenerFilters filters = listener.Filters;
        foreach (ListenerFilterPlace place in listener.Filters.Places)
        {
            filters = (resources.Extension(place.Filter.Need) ?? place.Filter.Default)?.ListenerFilter is { } settings
                ? settings(filters, place.Disabled) : filters with { LacksConfig = true };
        }

        return (listener with { Filters = filters }).WithChains(chain => Fill(chain, listener));
    }

    private static bool HasPlaces(FilterChainSnapshot chain) => chain.Filters.Any(static filter => filter is DiscoveredFilterSnapshot);

    private FilterChainSnapshot Fill(FilterChainSnapshot chain, ListenerSnapshot listener)
    {
        if (!HasPlaces(chain))
        {
            return chain;
        }

        if (!_filled.TryGetValue(chain, out Dictionary<int, Filled>? byPort))
        {
            _filled[chain] = byPort = [];
        }

        int port = (listener.Address as IPEndPoint)?.Port ?? 0;
        FilterChainSnapshot composed = Compose(chain);
        if (!byPort.TryGetValue(port, out Filled filled) || !IsSame(filled.AsSent, composed))
        {
            UInt128? rest = FixedOf(chain);
            byPort[port] = filled = new Filled(composed, Continued(Ruled(composed, listener), rest, filled), rest);
        }

        return filled.Chain;
    }

    /// <summary>
    /// An RPC proxy that changed in its routes and policies alone is the one that it was, which goes by the new ones from here on. One that changed otherwise, or
    /// went, is another chain: who is connected would be served by the old policies for as long as they like, and has the drain time instead.
    /// </summary>
    private static FilterChainSnapshot Continued(FilterChainSnapshot next, UInt128? rest, Filled before)
    {
        if (before.Chain is null)
        {
            return next;
        }

        if (before.Fixed is null || before.Chain.Terminal is not XRpcProxySnapshot running)
        {
            return next with { Origin = before.Chain.Origin };
        }

        XRpcProxySnapshot? came = next.Terminal as XRpcProxySnapshot;
        if (came is null || before.Fixed != rest || !ReferenceEquals(came.Rule, running.Rule))
        {
            if (came?.StatPrefix == running.StatPrefix)
            {
                came.Routes.Replace(running.Routes);
            }

            return next with { Origin = next };
        }

        running.Routes.Offer(came.Routes);
        running.Routes.TakeOffer();
        return next with { Terminal = running, Origin = before.Chain.Origin };
    }

    private UInt128? FixedOf(FilterChainSnapshot chain) => chain.Filters.OfType<DiscoveredFilterSnapshot>()
        .Select(place => (resources.Extension(place.Need) ?? place.Default)?.Fixed).FirstOrDefault(static one => one is not null);

    /// <summary>With the codec of a rule; a rule that does not fit what came refuses connections, since unread they would pass its policies by.</summary>
    private FilterChainSnapshot Ruled(FilterChainSnapshot chain, ListenerSnapshot listener)
    {
        var issues = new IssueCollector();
        FilterChainSnapshot ruled = CodecRuleSnapshot.Apply(chain, listener, rules(), new DecodeScope(issues, ""));
        return issues.HasErrors ? chain with { LacksFilterConfig = true } : ruled;
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

using System.Collections.Frozen;
using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// Chooses which listeners are published: one that waits for what it names keeps its version before, and stands out while there is
/// none. Secrets hold up a listener all of whose chains ask for TLS; beside one that does not, they hold up nobody.
/// </summary>
/// <param name="resources">What came, and what is waited for.</param>
/// <param name="rules">Which <c>tcp_proxy</c> chains a codec reads.</param>
internal sealed class ListenerWarming(DiscoveredResources resources, Func<ImmutableArray<CodecRuleSnapshot>> rules)
{
    private readonly DiscoveredFilters _filters = new(resources, rules);
    private Dictionary<string, ImmutableArray<ListenerSnapshot>> _published = new(StringComparer.Ordinal);
    private (long Of, long Version) _state = (-1, -1);
    private ImmutableArray<ListenerSnapshot> _list = [];
    private ImmutableArray<string> _waiting = [];

    /// <summary>How often the proxies among the listeners that are published have servers asked for signs of life.</summary>
    public FrozenDictionary<string, TimeSpan> HealthCheckIntervals { get; private set; } = FrozenDictionary<string, TimeSpan>.Empty;

    /// <summary>What is waited for: <c>listener: Type/name</c>.</summary>
    public IReadOnlyList<string> WaitingOf(ResourceTable<ImmutableArray<ListenerSnapshot>> listeners)
    {
        Publish(listeners);
        return _waiting;
    }

    /// <summary>The listeners to publish: one list for as long as nothing changes, since what is compiled from it is kept with it.</summary>
    /// <param name="listeners">The listeners as configured, by the name of their resource.</param>
    public ImmutableArray<ListenerSnapshot> Publish(ResourceTable<ImmutableArray<ListenerSnapshot>> listeners)
    {
        if (_state == (listeners.Generation, resources.Version))
        {
            return _list;
        }

        IReadOnlyDictionary<string, HeldResource<ImmutableArray<ListenerSnapshot>>> held = listeners.Held;

        var published = new Dictionary<string, ImmutableArray<ListenerSnapshot>>(held.Count, StringComparer.Ordinal);
        var waiting = ImmutableArray.CreateBuilder<string>();
        foreach ((string name, HeldResource<ImmutableArray<ListenerSnapshot>> resource) in held)
        {
            List<ResourceNeed> lacking = [.. Blocking(resource.Compiled).Where(resources.Lacks)];
            if (lacking.Count == 0)
            {
                published[name] = Same(name, _filters.Fill(resource.Compiled));
            }
            else if (_published.TryGetValue(name, out ImmutableArray<ListenerSnapshot> before))
            {
                published[name] = before;
            }

            waiting.AddRange(lacking.Select(need => $"{name}: {TypeUrls.ShortName(need.TypeUrl)}/{need.Name}"));
        }

        foreach (ListenerSnapshot listener in published.Values.SelectMany(static one => one))
        {
            Route(listener);
            FilterChainMatcher.Prepare(listener);
        }

        ImmutableArray<ListenerSnapshot> list = [.. published.Values.SelectMany(static one => one)];
        _list = list.AsSpan().SequenceEqual(_list.AsSpan(), ReferenceEqualityComparer.Instance) ? _list : list;
        (_published, _waiting, _state) = (published, waiting.ToImmutable(), (listeners.Generation, resources.Version));
        HealthCheckIntervals = XRpc.HealthCheckIntervals.Of(_list);
        _filters.Retain(held.Values.SelectMany(static one => one.Compiled));
        return _list;
    }

    /// <summary>What they will be when everything has come; what has not, refuses.</summary>
    public ImmutableArray<ListenerSnapshot> Preview(ResourceTable<ImmutableArray<ListenerSnapshot>> listeners)
        => [.. listeners.Held.Values.SelectMany(one => new DiscoveredFilters(resources, rules).Fill(one.Compiled))];

    /// <summary>Everything a listener's chains name, waited for or not.</summary>
    public IEnumerable<ResourceNeed> NeedsOf(ImmutableArray<ListenerSnapshot> listener)
        => listener.Take(1).SelectMany(one => OfListenerFilters(one).Select(static place => place.Need)
            .Concat(one.Chains.SelectMany(chain => chain.Secrets.Concat(OfFilters(chain).Select(static filter => filter.Need)))));

    private IEnumerable<ResourceNeed> Blocking(ImmutableArray<ListenerSnapshot> listener)
    {
        foreach (ListenerSnapshot first in listener.Take(1))
        {
            foreach (DiscoveredFilterSnapshot place in OfListenerFilters(first).Where(static place => !place.DefaultServesAtOnce))
            {
                yield return place.Need;
            }

            bool onlyTls = first.Chains.All(static chain => chain.RequiresTls);
            foreach (FilterChainSnapshot chain in first.Chains)
            {
                foreach (ResourceNeed need in (onlyTls ? chain.Secrets : []).Concat(OfFilters(chain).Where(static one => one.Waits).Select(static one => one.Need)))
                {
                    yield return need;
                }
            }
        }
    }

    private static IEnumerable<DiscoveredFilterSnapshot> OfListenerFilters(ListenerSnapshot listener)
        => listener.Filters.Places.Select(static place => place.Filter);

    /// <summary>What the filters name, and what the settings that came for them name in turn.</summary>
    private IEnumerable<(ResourceNeed Need, bool Waits)> OfFilters(FilterChainSnapshot chain)
    {
        foreach (ResourceNeed need in chain.Terminal.Needs)
        {
            yield return (need, true);
        }

        foreach (DiscoveredFilterSnapshot place in chain.Filters.OfType<DiscoveredFilterSnapshot>())
        {
            yield return (place.Need, !place.DefaultServesAtOnce);
            foreach (ResourceNeed need in (resources.Extension(place.Need) ?? place.Default)?.Needs ?? [])
            {
                yield return (need, true);
            }
        }
    }

    /// <summary>Gives the chains whose routes are discovered those that came: the chains themselves stay, and their connections.</summary>
    private void Route(ListenerSnapshot listener)
    {
        foreach (ResourceNeed need in listener.Chains.SelectMany(static chain => chain.Terminal.Needs))
        {
            need.Routes?.Discovered(resources.Extension(need)?.Routes);
        }
    }

    /// <summary>The version published before, where nothing of it changed.</summary>
    private ImmutableArray<ListenerSnapshot> Same(string name, ImmutableArray<ListenerSnapshot> next)
        => _published.TryGetValue(name, out ImmutableArray<ListenerSnapshot> before) && before.Length == next.Length
            && before.Zip(next).All(static pair => IsSame(pair.First, pair.Second)) ? before : next;

    private static bool IsSame(ListenerSnapshot one, ListenerSnapshot other)
        => ReferenceEquals(one, other)
            || (one.FilterChains.AsSpan().SequenceEqual(other.FilterChains.AsSpan(), ReferenceEqualityComparer.Instance)
                && ReferenceEquals(one.DefaultFilterChain, other.DefaultFilterChain)
                && (one with { FilterChains = other.FilterChains }).Equals(other));
}

using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A filter chain that an update leaves as it was keeps its compiled object: its connections and its limits go on.</summary>
internal static class ChainContinuity
{
    /// <summary><paramref name="listener"/> with the chains of <paramref name="running"/> that are equal.</summary>
    public static ImmutableArray<ListenerSnapshot> Keep(ImmutableArray<ListenerSnapshot> listener, ImmutableArray<ListenerSnapshot> running)
    {
        var known = new Dictionary<UInt128, FilterChainSnapshot>();
        foreach (ListenerSnapshot one in running)
        {
            foreach (FilterChainSnapshot chain in one.FilterChains)
            {
                known.TryAdd(chain.Fingerprint, chain);
            }

            if (one.DefaultFilterChain is { } last)
            {
                known.TryAdd(last.Fingerprint, last);
            }
        }

        return [.. listener.Select(one => one with
        {
            FilterChains = [.. one.FilterChains.Select(chain => known.GetValueOrDefault(chain.Fingerprint, chain))],
            DefaultFilterChain = one.DefaultFilterChain is { } last ? known.GetValueOrDefault(last.Fingerprint, last) : null,
        })];
    }
}

using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A filter chain that an update leaves as it was keeps its compiled object: its connections and its limits go on.</summary>
internal static class ChainContinuity
{
    /// <summary><paramref name="listener"/> with the chains of <paramref name="running"/> that are equal.</summary>
    public static ImmutableArray<ListenerSnapshot> Keep(ImmutableArray<ListenerSnapshot> listener, ImmutableArray<ListenerSnapshot> running)
    {
        var known = new Dictionary<UInt128, FilterChainSnapshot>();
        foreach (FilterChainSnapshot chain in running.SelectMany(static one => one.Chains))
        {
            known.TryAdd(chain.Fingerprint, chain);
        }

        ReplaceByPrefix(listener, running);
        return [.. listener.Select(one => one.WithChains(chain => Kept(chain, known)))];
    }

    /// <summary>The running chain is offered the routes of the new one, which may still be refused.</summary>
    private static FilterChainSnapshot Kept(FilterChainSnapshot chain, Dictionary<UInt128, FilterChainSnapshot> known)
    {
        // A codec rule of the bootstrap may take the chain at one port and not at another.
        if (!known.TryGetValue(chain.Fingerprint, out FilterChainSnapshot? running) || running.Terminal.GetType() != chain.Terminal.GetType())
        {
            return chain;
        }

        if (running.Terminal is TcpProxySnapshot relay)
        {
            return relay.Clusters.SequenceEqual(((TcpProxySnapshot)chain.Terminal).Clusters) ? running : chain;
        }

        if (running.Terminal is not XRpcProxySnapshot old || chain.Terminal is not XRpcProxySnapshot now)
        {
            return running;
        }

        if (!ReferenceEquals(old.Rule, now.Rule))
        {
            return chain;
        }

        old.Routes.Offer(now.Routes);

        // What the tcp_proxy that it replaces would relay is drained as there: its connections are looked at, and the others find their chain in this one.
        return old.Rule is null || old.RelaysTo.SequenceEqual(now.RelaysTo) ? running : running with { Origin = running.Origin };
    }

    /// <summary>
    /// An RPC chain that changed has connections of its own, and still the place of the one before it, by their stat prefix: a rate limit that
    /// stays as it was there is not full again.
    /// </summary>
    private static void ReplaceByPrefix(ImmutableArray<ListenerSnapshot> listener, ImmutableArray<ListenerSnapshot> running)
    {
        ILookup<string, XRpcProxySnapshot> gone = ProxiesBeyond(listener, running);
        foreach (IGrouping<string, XRpcProxySnapshot> come in ProxiesBeyond(running, listener))
        {
            if (come.Count() == 1 && gone[come.Key].Count() == 1)
            {
                come.First().Routes.Replace(gone[come.Key].First().Routes);
            }
        }
    }

    /// <summary>RPC proxies whose chains one of two versions has and the other has not.</summary>
    private static ILookup<string, XRpcProxySnapshot> ProxiesBeyond(ImmutableArray<ListenerSnapshot> other, ImmutableArray<ListenerSnapshot> version)
    {
        var known = other.SelectMany(static one => one.Chains).Select(static chain => chain.Fingerprint).ToHashSet();
        return version.SelectMany(static one => one.Chains).Where(chain => chain.Terminal is XRpcProxySnapshot && !known.Contains(chain.Fingerprint))
            .Select(static chain => (XRpcProxySnapshot)chain.Terminal)
            .ToLookup(static proxy => proxy.StatPrefix, StringComparer.Ordinal);
    }

    /// <summary>The listener was accepted: its chains route by what it brought.</summary>
    public static void TakeRoutes(ImmutableArray<ListenerSnapshot> listener)
    {
        foreach (FilterChainSnapshot chain in listener.SelectMany(static one => one.Chains))
        {
            (chain.Terminal as XRpcProxySnapshot)?.Routes.TakeOffer();
        }
    }
}

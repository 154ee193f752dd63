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

        if (running.Terminal is XRpcProxySnapshot old && chain.Terminal is XRpcProxySnapshot now)
        {
            old.Routes.Offer(now.Routes);
        }

        return running;
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

using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// What an update does to open connections: those of a chain that runs on go on; those of a chain that was changed or removed
/// are given the drain time to finish, unless the chain they would meet now refuses them by policy, which ends them at once. Settings
/// of a filter that are discovered do not change the chain.
/// </summary>
internal sealed class ChainDrain(IReadOnlyList<LoopWorker> workers, SnapshotStore snapshots, TimeSpan drainTime)
{
    private static readonly object Mark = new();
    private readonly ConditionalWeakTable<FilterChainSnapshot, object> _retired = new();

    /// <summary>Called after a swap, by one thread at a time.</summary>
    public void Swapped(ProxySnapshot previous, ProxySnapshot current)
    {
        HashSet<FilterChainSnapshot> gone = Gone(previous, current);
        if (gone.Count == 0)
        {
            return;
        }

        // Marked before the loops look: who chooses one of them later finds the mark.
        foreach (FilterChainSnapshot chain in gone)
        {
            _retired.TryAdd(chain, Mark);
        }

        ListenerTable.For(current); // built here, and not by a loop
        foreach (LoopWorker worker in workers)
        {
            worker.Loop.Post(_ => RetireOn(worker, current), null);
            worker.Loop.Post(_ => RetireUnmatched(worker, current), null);
        }
    }

    /// <summary>A connection that met a retired chain, because it was still being sniffed at the swap, is looked at now. On its loop.</summary>
    public void Chosen(Downstream downstream)
    {
        if (downstream.Record.Chain is { } chain && _retired.TryGetValue(chain, out _))
        {
            Retire(downstream, new Successors(snapshots.Current));
        }
    }

    /// <summary>Chains that ran and do not any more.</summary>
    internal static HashSet<FilterChainSnapshot> Gone(ProxySnapshot previous, ProxySnapshot current)
    {
        var gone = new HashSet<FilterChainSnapshot>(ReferenceEqualityComparer.Instance);
        if (SameListeners(previous, current))
        {
            return gone;
        }

        var running = new HashSet<object>(ReferenceEqualityComparer.Instance);
        running.UnionWith(current.Listeners);
        List<ListenerSnapshot> changed = [.. previous.Listeners.Where(listener => !running.Contains(listener))];
        running.UnionWith(current.Listeners.SelectMany(static one => one.Chains));
        gone.UnionWith(changed.SelectMany(static one => one.Chains).Where(chain => !running.Contains(chain)));
        return gone;
    }

    private static bool SameListeners(ProxySnapshot previous, ProxySnapshot current)
    {
        if (previous.Listeners == current.Listeners)
        {
            return true; // one list
        }

        bool same = previous.Listeners.Length == current.Listeners.Length;
        for (int i = 0; i < current.Listeners.Length && same; i++)
        {
            same = ReferenceEquals(previous.Listeners[i], current.Listeners[i]);
        }

        return same;
    }

    private void RetireOn(LoopWorker worker, ProxySnapshot current)
    {
        var successors = new Successors(current);
        foreach (Downstream connection in worker.Connections.ToArray())
        {
            if (connection.Record.Chain is { } chain && _retired.TryGetValue(chain, out _))
            {
                Retire(connection, successors);
            }
        }
    }

    /// <summary>Who is still being sniffed on a listener that is gone may never say a word: it has the drain time, too.</summary>
    private void RetireUnmatched(LoopWorker worker, ProxySnapshot current)
    {
        List<Downstream> unmatched = [.. worker.Connections.Where(static connection => connection.Record.Chain is null)];
        if (unmatched.Count == 0)
        {
            return;
        }

        var successors = new Successors(current);
        foreach (Downstream connection in unmatched.Where(connection => successors.ListenerOf(connection) is null))
        {
            Retire(connection, successors);
        }
    }

    private void Retire(Downstream connection, Successors successors)
    {
        ListenerSnapshot? listener = successors.ListenerOf(connection);
        MatchInput input = MatchInput.Of(connection) with { FilterState = null }; // nothing is noted when a chain is chosen
        FilterChainSnapshot? successor = successors.Of(connection.Record.Chain, listener);
        FilterChainSnapshot? chain = listener is null ? null : successor ?? FilterChainMatcher.For(listener).Find(input) ?? listener.DefaultFilterChain;
        if (chain is not null && !NetworkFilters.WouldAdmit(chain, connection))
        {
            connection.Cancel(ResponseFlags.UAEX, "rbac_policy_changed");
            return;
        }

        if (successor is not null && !IsRelayedElsewhere(connection, successor))
        {
            // The chain is the same but for settings that were discovered anew, for new connections, or clusters, for the next request of each.
            connection.Record.Chain = successor;
            return;
        }

        if (connection.DrainTimer is null)
        {
            connection.DrainTimer = new LoopTimer(static state => ((Downstream)state!).Expire(ResponseFlags.LR, "filter_chain_drained"), connection);
            connection.Loop.Timers.Arm(connection.DrainTimer, drainTime);
        }
    }

    /// <summary>Whether a <c>tcp_proxy</c> that a codec rule replaced would relay a connection to other clusters now than it does.</summary>
    private static bool IsRelayedElsewhere(Downstream connection, FilterChainSnapshot chain) => !connection.RelayedTo.IsDefault
        && !(chain.Terminal is XRpcProxySnapshot { Rule: not null } proxy && proxy.RelaysTo.SequenceEqual(connection.RelayedTo));

    /// <summary>What stands in a snapshot for listeners and chains of one before. Many connections share a chain: each is looked for once.</summary>
    private sealed class Successors(ProxySnapshot current)
    {
        private readonly ListenerTable _listeners = ListenerTable.For(current);
        private readonly Dictionary<FilterChainSnapshot, FilterChainSnapshot?> _byOrigin = new(ReferenceEqualityComparer.Instance);

        /// <summary>The listener of a connection as it is now; null when it is gone.</summary>
        public ListenerSnapshot? ListenerOf(Downstream connection) => _listeners.Named(connection.Listener.Name);

        /// <summary>The same chain with other settings discovered; null when there is none.</summary>
        public FilterChainSnapshot? Of(FilterChainSnapshot? chain, ListenerSnapshot? listener)
        {
            if (chain is null || listener is null)
            {
                return null;
            }

            // Listeners that share chains are the addresses of one resource, and have the same chains now.
            if (!_byOrigin.TryGetValue(chain.Origin, out FilterChainSnapshot? successor))
            {
                successor = listener.Chains.FirstOrDefault(one => ReferenceEquals(one.Origin, chain.Origin));
                _byOrigin.Add(chain.Origin, successor);
            }

            return successor;
        }
    }
}

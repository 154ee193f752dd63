using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Filtering;

/// <summary>Runs the non-terminal filters of a chain in their order; the first that refuses ends the connection.</summary>
internal sealed class NetworkFilters(FilterCounters counters)
{
    /// <summary>The object key under which a filter names tcp_proxy's cluster.</summary>
    public const string TcpProxyCluster = "envoy.tcp_proxy.cluster";

    /// <summary>False with the reason in the record. A filter may hold a refused connection for a while.</summary>
    public async ValueTask<bool> AdmitAsync(Downstream downstream)
    {
        foreach (NetworkFilterSnapshot filter in downstream.Record.Chain!.Filters)
        {
            if (Admits(filter, downstream))
            {
                continue;
            }

            if (filter is ConnectionLimitSnapshot { Delay: { Ticks: > 0 } delay })
            {
                await HoldAsync(downstream, delay);
            }

            return false;
        }

        return true;
    }

    /// <summary>
    /// Whether the RBAC filters of a chain would let an open connection in if it came now: by what the filters of this chain would note of
    /// it, not by what those of its own noted. Nothing is counted or changed. On the connection's loop.
    /// </summary>
    public static bool WouldAdmit(FilterChainSnapshot chain, Downstream downstream)
    {
        ConnectionRecord record = downstream.Record;
        FilterChainSnapshot? own = record.Chain;
        record.Chain = chain; // formats may name it
        try
        {
            Dictionary<string, string>? state = null;
            foreach (NetworkFilterSnapshot filter in chain.Filters)
            {
                state = Noted(filter, record, state);
                if (filter is RbacSnapshot { Rules: { } rules } && !RbacEngine.Allows(rules, MatchInput.Of(downstream) with { FilterState = state }, out _))
                {
                    return false;
                }
            }

            return true;
        }
        finally
        {
            record.Chain = own;
        }
    }

    /// <summary>Gives back what a connection held.</summary>
    public static void Leave(Downstream downstream)
    {
        foreach (ConnectionLimitSnapshot limit in downstream.HeldLimits ?? [])
        {
            Interlocked.Decrement(ref limit.Active.Value);
        }

        downstream.HeldLimits = null;
    }

    private bool Admits(NetworkFilterSnapshot filter, Downstream downstream)
    {
        switch (filter)
        {
            case ConnectionLimitSnapshot limit:
                return AdmitsByLimit(limit, downstream);
            case LocalRateLimitSnapshot limit:
                return AdmitsByRate(limit, downstream);
            case RbacSnapshot rbac:
                return AdmitsByRules(rbac, downstream);
            case SniClusterSnapshot or SetFilterStateSnapshot:
                downstream.FilterState = Noted(filter, downstream.Record, downstream.FilterState);
                return true;
            default:
                throw new NotSupportedException(filter.GetType().Name);
        }
    }

    private bool AdmitsByLimit(ConnectionLimitSnapshot limit, Downstream downstream)
    {
        if (ConnectionGate.TryTake(ref limit.Active.Value, limit.MaxConnections))
        {
            (downstream.HeldLimits ??= []).Add(limit);
            return true;
        }

        counters.Add("connection_limit", limit.StatPrefix, "limited_connections");
        downstream.Record.Fail(ResponseFlags.RL, EndedBy.Proxy, "connection_limit");
        return false;
    }

    private bool AdmitsByRate(LocalRateLimitSnapshot limit, Downstream downstream)
    {
        if (limit.Bucket.TryTake())
        {
            return true;
        }

        counters.Add("local_rate_limit", limit.StatPrefix, "rate_limited");
        downstream.Record.Fail(ResponseFlags.RL, EndedBy.Proxy, "local_ratelimit");
        return false;
    }

    private bool AdmitsByRules(RbacSnapshot rbac, Downstream downstream)
    {
        MatchInput input = MatchInput.Of(downstream);
        if (rbac.Shadow is { } shadow)
        {
            bool would = RbacEngine.Allows(shadow, input, out _);
            counters.Add("rbac", rbac.StatPrefix, rbac.ShadowStatPrefix + (would ? "shadow_allowed" : "shadow_denied"));
        }

        if (rbac.Rules is not { } rules)
        {
            return true;
        }

        bool allowed = RbacEngine.Allows(rules, input, out string? policy);
        counters.Add("rbac", rbac.StatPrefix, allowed ? "allowed" : "denied");
        if (!allowed)
        {
            downstream.Record.Fail(ResponseFlags.UAEX, EndedBy.Proxy, $"rbac_access_denied_matched_policy[{policy ?? "none"}]");
        }

        return allowed;
    }

    /// <summary>What was noted before, with what this filter notes; made when there is something.</summary>
    private static Dictionary<string, string>? Noted(NetworkFilterSnapshot filter, ConnectionRecord record, Dictionary<string, string>? state)
    {
        if (filter is SniClusterSnapshot && record.ServerName is { Length: > 0 } name)
        {
            state ??= new Dictionary<string, string>(StringComparer.Ordinal);
            state[TcpProxyCluster] = name;
        }

        foreach (FilterStateEntry entry in filter is SetFilterStateSnapshot set ? set.Entries : [])
        {
            string value = entry.Format.Render(record);
            if (value.Length > 0 || !entry.SkipIfEmpty)
            {
                state ??= new Dictionary<string, string>(StringComparer.Ordinal);
                state[entry.Key] = value;
            }
        }

        return state;
    }

    /// <summary>Ends early when the connection is ended from outside.</summary>
    private static async Task HoldAsync(Downstream downstream, TimeSpan delay)
    {
        var over = new TaskCompletionSource();
        var timer = new LoopTimer(static done => ((TaskCompletionSource)done!).TrySetResult(), over);
        downstream.Loop.Timers.Arm(timer, delay);
        downstream.OnCancel((_, _) => over.TrySetResult());
        await over.Task;
        downstream.Loop.Timers.Cancel(timer);
    }
}

using System.Diagnostics;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Relaying;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Terminating;

/// <summary><c>tcp_proxy</c>: choose a cluster, connect, relay.</summary>
internal sealed class TcpForward(UpstreamConnector connector)
{
    /// <summary>Under the configuration at accept.</summary>
    public ValueTask RunAsync(Downstream downstream, TcpProxySnapshot proxy) => RunAsync(downstream, proxy, downstream.Snapshot);

    /// <summary>Under a configuration, which the relay does not hold: it may last while updates replace it many times.</summary>
    public ValueTask RunAsync(Downstream downstream, TcpProxySnapshot proxy, ProxySnapshot config)
        => TryCluster(downstream, proxy, config, out string cluster)
            ? RelayAsync(downstream, connector.ConnectAsync(downstream, config, cluster, proxy.MaxConnectAttempts), proxy)
            : ValueTask.CompletedTask;

    private static async ValueTask RelayAsync(Downstream downstream, ValueTask<UpstreamConnection?> connecting, TcpProxySnapshot proxy)
    {
        UpstreamConnection? upstream = await connecting;
        if (upstream is not null)
        {
            await RelayAsync(downstream, upstream, proxy.IdleTimeout, proxy.MaxDownstreamConnectionDuration);
        }
    }

    /// <summary>What a filter named, else the proxy's own choice. A name a client sent is never put down unless it is a cluster's.</summary>
    private static bool TryCluster(Downstream downstream, TcpProxySnapshot proxy, ProxySnapshot config, out string cluster)
    {
        if (downstream.FilterState is not { } state || !state.TryGetValue(NetworkFilters.TcpProxyCluster, out cluster!))
        {
            cluster = WeightedClusterChoice.Pick(proxy, downstream.Worker.Random);
            return true;
        }

        if (config.Clusters.ContainsKey(cluster))
        {
            return true;
        }

        downstream.Record.Fail(ResponseFlags.NC, EndedBy.Proxy, "cluster_not_found");
        return false;
    }

    /// <summary>Relays on the two descriptors, sniffed bytes first, and closes the upstream.</summary>
    public static async ValueTask RelayAsync(
        Downstream downstream, UpstreamConnection upstream, TimeSpan idleTimeout, TimeSpan? maxDuration)
    {
        downstream.ForgetSnapshot();
        var relay = new SocketRelay(downstream.Socket, upstream.Socket, idleTimeout);
        FlushSniffed(downstream, relay);
        downstream.OnCancel(relay.Cancel);
        downstream.OnExpire(relay.TryEnd);
        LoopTimer? limit = LimitDuration(downstream, maxDuration);
        RelayOutcome outcome = new(ResponseFlags.LR, EndedBy.Proxy, "ended_before_relay");
        try
        {
            // The drain deadline may have struck while the upstream connected: there is nobody left to relay for.
            if (!downstream.IsCanceled)
            {
                outcome = await relay.RunAsync();
            }
        }
        finally
        {
            upstream.Close(reset: outcome.Flags != ResponseFlags.None && !outcome.InOrder);
            if (limit is not null)
            {
                downstream.Loop.Timers.Cancel(limit);
            }
        }

        ConnectionRecord record = downstream.Record;
        record.BytesReceived += relay.ToUpstream.Bytes;
        record.BytesSent += relay.ToDownstream.Bytes;
        record.EndedBy = outcome.EndedBy;
        downstream.EndsInOrder = outcome.InOrder;
        downstream.ReachedEnd = outcome is { Flags: ResponseFlags.None, EndedBy: EndedBy.Both };
        if (outcome.Details is not null)
        {
            record.Fail(outcome.Flags, outcome.EndedBy, outcome.Details);
        }
    }

    private static void FlushSniffed(Downstream downstream, SocketRelay relay)
    {
        if (downstream.PipeIfAny is not { } pipe)
        {
            return;
        }

        pipe.Detach();
        relay.ToUpstream.Prepend(pipe.Buffered);
        pipe.Input.Complete();
    }

    /// <summary>Ends the connection when it has been there for so long; null, for no limit, without a timer. To be cancelled on its loop.</summary>
    public static LoopTimer? LimitDuration(Downstream downstream, TimeSpan? maxDuration)
    {
        if (maxDuration is not { } most || most <= TimeSpan.Zero)
        {
            return null;
        }

        var timer = new LoopTimer(
            static state => ((Downstream)state!).Cancel(ResponseFlags.DT, "max_downstream_connection_duration"), downstream);
        downstream.Loop.Timers.Arm(timer, most - Stopwatch.GetElapsedTime(downstream.Record.StartTimestamp));
        return timer;
    }
}

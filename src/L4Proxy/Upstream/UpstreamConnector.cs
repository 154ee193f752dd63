using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Upstream;

/// <summary>From a cluster's name to a connected socket: circuit breaker, endpoint choice, loop guard, attempts on other endpoints.</summary>
internal sealed class UpstreamConnector(LoopGuard guard)
{
    /// <summary>Connects under the configuration at accept; null with the reason in the record.</summary>
    public ValueTask<UpstreamConnection?> ConnectAsync(Downstream downstream, string clusterName, int maxAttempts)
        => ConnectAsync(downstream, downstream.Snapshot, clusterName, maxAttempts);

    /// <summary>Connects under a configuration; null with the reason in the record.</summary>
    public ValueTask<UpstreamConnection?> ConnectAsync(Downstream downstream, ProxySnapshot snapshot, string clusterName, int maxAttempts)
    {
        if (snapshot.Clusters.TryGetValue(clusterName, out ClusterSnapshot? cluster))
        {
            return ConnectAsync(downstream, cluster, maxAttempts);
        }

        downstream.Record.ClusterName ??= clusterName;
        downstream.Record.Fail(ResponseFlags.NC, EndedBy.Proxy, "cluster_not_found");
        return ValueTask.FromResult<UpstreamConnection?>(null);
    }

    /// <summary>Connects to an endpoint of <paramref name="cluster"/>, trying at most <paramref name="maxAttempts"/> of them.</summary>
    public async ValueTask<UpstreamConnection?> ConnectAsync(Downstream downstream, ClusterSnapshot cluster, int maxAttempts)
    {
        ConnectionRecord record = downstream.Record;
        record.ClusterName ??= cluster.Name;
        if (cluster is { RequiresTls: true, Discovery: ClusterDiscovery.OriginalDestination })
        {
            FailWithoutEndpoint(record, cluster);
            return null;
        }

        if (!cluster.State.TryAcquire(cluster.Limits))
        {
            Interlocked.Increment(ref cluster.State.Counters.CxOverflow);
            record.Fail(ResponseFlags.UO, EndedBy.Proxy, "upstream_overflow");
            return null;
        }

        ClusterSnapshot known = cluster.OnDemand is null ? cluster : await EndpointsWait.ForAsync(downstream, cluster);
        UpstreamConnection? connection = downstream.IsCanceled ? null : await TryEndpointsAsync(downstream, known, maxAttempts);
        if (connection is null)
        {
            cluster.State.Release();
        }

        return connection;
    }

    /// <summary>Says why no endpoint was picked: UF when TLS is in the way, else UH.</summary>
    public static void FailWithoutEndpoint(ConnectionRecord record, ClusterSnapshot cluster)
    {
        if (cluster.RequiresTls || (cluster.Discovery != ClusterDiscovery.OriginalDestination && EndpointSet.For(cluster).OnlyTls))
        {
            Interlocked.Increment(ref cluster.State.Counters.CxTlsUnsupported);
            record.Fail(ResponseFlags.UF, EndedBy.Proxy, "tls_unsupported");
            return;
        }

        Interlocked.Increment(ref cluster.State.Counters.CxNoneHealthy);
        record.Fail(ResponseFlags.UH, EndedBy.Proxy, cluster.EndpointsKnown ? "no_healthy_upstream" : "endpoints_not_received");
    }

    private async ValueTask<UpstreamConnection?> TryEndpointsAsync(Downstream downstream, ClusterSnapshot cluster, int maxAttempts)
    {
        ConnectionRecord record = downstream.Record;
        EndpointSnapshot[]? tried = maxAttempts > 1 ? new EndpointSnapshot[maxAttempts] : null;
        for (int attempt = 0; attempt < maxAttempts; attempt++)
        {
            if (PickEndpoint(downstream, cluster, tried is null ? [] : tried.AsSpan(0, attempt)) is not { } endpoint)
            {
                return null;
            }

            (UpstreamConnection? connection, bool retry) = await AttemptAsync(downstream, cluster, endpoint);
            if (connection is not null || !retry)
            {
                return connection;
            }

            if (tried is not null)
            {
                tried[attempt] = endpoint;
            }
        }

        Interlocked.Increment(ref cluster.State.Counters.CxConnectAttemptsExceeded);
        record.Fail(
            maxAttempts > 1 ? ResponseFlags.UF | ResponseFlags.URX : ResponseFlags.UF, EndedBy.Upstream, "upstream_connect_failure");
        return null;
    }

    private EndpointSnapshot? PickEndpoint(Downstream downstream, ClusterSnapshot cluster, ReadOnlySpan<EndpointSnapshot> tried)
    {
        ConnectionRecord record = downstream.Record;
        var context = new PickContext
        {
            OriginalDestination = downstream.OriginalDestination,
            Tried = tried,
            Random = downstream.Worker.Random,
        };
        EndpointSnapshot? endpoint = LoadBalancer.Pick(cluster, context);
        if (endpoint is null)
        {
            FailWithoutEndpoint(record, cluster);
            return null;
        }

        record.UpstreamHost = endpoint.Address;
        if (guard.IsOwnListener(ProtocolType.Tcp, endpoint.Address))
        {
            record.Fail(ResponseFlags.LR, EndedBy.Proxy, "loop_guard_own_listener");
            return null;
        }

        return endpoint;
    }

    private async ValueTask<(UpstreamConnection? Connection, bool Retry)> AttemptAsync(
        Downstream downstream, ClusterSnapshot cluster, EndpointSnapshot endpoint)
    {
        ConnectionRecord record = downstream.Record;
        ClusterCounters counters = cluster.State.Counters;
        Interlocked.Increment(ref counters.CxTotal);
        record.ConnectAttempts++;
        endpoint.State.Opened();
        long started = Stopwatch.GetTimestamp();
        ConnectResult result = await ConnectAttempt.ConnectAsync(
            downstream.Loop, endpoint.Address, cluster, downstream.Socket, guard, SourceAddress.Of(downstream, endpoint.Address));
        if (result.Socket is { } socket)
        {
            record.ConnectTime = Stopwatch.GetElapsedTime(started);
            record.UpstreamLocal = result.Local;
            return (new UpstreamConnection(socket, cluster, endpoint, result.Local, guard), false);
        }

        endpoint.State.Closed();
        if (result.DownstreamGone || downstream.IsCanceled)
        {
            record.Fail(ResponseFlags.DC, EndedBy.Downstream, "downstream_gone_while_connecting");
            return (null, false);
        }

        endpoint.State.Failed();
        Interlocked.Increment(ref counters.CxConnectFail);
        if (result.TimedOut)
        {
            Interlocked.Increment(ref counters.CxConnectTimeout);
        }

        record.UpstreamFailure = Marshal.GetPInvokeErrorMessage(result.Error);
        return (null, true);
    }
}

using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Listening;

/// <summary>From the first datagram of a flow to a session: limits, loop guard, endpoint, sockets. One record for each try.</summary>
internal sealed class UdpSessionOpening(UdpListener listener, LoopWorker worker, UdpServices services)
{
    private static long s_nextId;

    public UdpCounters Counters => services.Reporter.Counters.Udp(listener.Listener.Udp!);

    /// <summary>A session that is ready to forward; null with the reason in its record.</summary>
    public UdpSession? Open(DatagramFlow flow)
    {
        ListenerSnapshot snapshot = listener.Listener;
        services.Reporter.Opened(snapshot);
        var record = new ConnectionRecord(services.Reporter, Interlocked.Increment(ref s_nextId), snapshot)
        {
            DirectRemote = flow.Client,
            Remote = flow.Client,
            Local = flow.Destination ?? SocketTuning.LocalEndPoint(listener.Fd),
            LocalRestored = snapshot.Transparent,
            ClusterName = snapshot.Udp!.Cluster,
        };
        UdpSession? session = Admit(flow, record);
        if (session is null)
        {
            record.Complete();
        }

        return session;
    }

    private UdpSession? Admit(DatagramFlow flow, ConnectionRecord record)
    {
        if (services.Guard.IsOwnUpstream(ProtocolType.Udp, flow.Client, record.Local))
        {
            record.Fail(ResponseFlags.LR, EndedBy.Proxy, "loop_guard_own_upstream");
            return null;
        }

        if (!services.Sessions.TryEnter())
        {
            record.Fail(ResponseFlags.OM, EndedBy.Proxy, "udp_session_limit");
            return null;
        }

        UdpSession? session = Choose(flow, record);
        if (session is null)
        {
            services.Sessions.Leave();
        }

        return session;
    }

    private UdpSession? Choose(DatagramFlow flow, ConnectionRecord record)
    {
        if (!services.Snapshots.Current.Clusters.TryGetValue(record.ClusterName!, out ClusterSnapshot? cluster))
        {
            record.Fail(ResponseFlags.NC, EndedBy.Proxy, "cluster_not_found");
            return null;
        }

        // A datagram is not held: those before the endpoints are there get lost, as on a network that is slow to come up.
        cluster.OnDemand?.Use(cluster);
        var context = new PickContext { Random = worker.Random, OriginalDestination = record.LocalRestored ? flow.Destination : null };
        if (LoadBalancer.Pick(cluster, context) is not { } endpoint)
        {
            UpstreamConnector.FailWithoutEndpoint(record, cluster);
            return null;
        }

        record.UpstreamHost = endpoint.Address;
        if (services.Guard.IsOwnListener(ProtocolType.Udp, endpoint.Address))
        {
            record.Fail(ResponseFlags.LR, EndedBy.Proxy, "loop_guard_own_listener");
            return null;
        }

        if (!cluster.State.TryAcquire(cluster.Limits))
        {
            Interlocked.Increment(ref cluster.State.Counters.CxOverflow);
            record.Fail(ResponseFlags.UO, EndedBy.Proxy, "upstream_overflow");
            return null;
        }

        UdpSession? session = Connect(flow, record, cluster, endpoint);
        if (session is null)
        {
            cluster.State.Release();
        }

        return session;
    }

    private UdpSession? Connect(DatagramFlow flow, ConnectionRecord record, ClusterSnapshot cluster, EndpointSnapshot endpoint)
    {
        UdpReply? reply = null;
        if (record.LocalRestored && (reply = UdpReply.Open(listener.Loop, flow, Counters, out string reason)) is null)
        {
            record.UpstreamFailure = reason;
            record.Fail(ResponseFlags.LR, EndedBy.Proxy, "udp_reply_socket_failure");
            return null;
        }

        int fd = UdpSession.Connect(endpoint.Address, cluster, out int error);
        if (fd >= 0)
        {
            record.UpstreamLocal = SocketTuning.LocalEndPoint(fd);
            var session = new UdpSession(listener, fd, flow, reply, record, cluster, endpoint, services);
            error = session.Start();
            if (error == 0)
            {
                Interlocked.Increment(ref cluster.State.Counters.CxTotal);
                return session;
            }
        }

        reply?.Close();
        record.UpstreamFailure = Marshal.GetPInvokeErrorMessage(error);
        record.Fail(ResponseFlags.UF, EndedBy.Proxy, "upstream_connect_failure");
        return null;
    }
}

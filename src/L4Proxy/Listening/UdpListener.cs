using System.Net;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Upstream;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// <c>udp_proxy</c> on one loop. The kernel sends all datagrams of a client to the same loop (SO_REUSEPORT hashes the
/// addresses), so a session lives on one loop. Datagrams of 0 to 65,507 bytes pass whole or not at all.
/// </summary>
internal sealed unsafe class UdpListener : IoHandler, ILoopListener
{
    private const int BatchSize = 64;
    private static long s_nextId;

    private readonly LoopWorker _worker;
    private readonly UdpServices _services;
    private readonly Dictionary<IPEndPoint, UdpSession> _sessions = [];

    private UdpListener(LoopWorker worker, int fd, ListenerSnapshot listener, UdpServices services)
        : base(worker.Loop, fd)
    {
        _worker = worker;
        _services = services;
        Listener = listener;
    }

    public ListenerSnapshot Listener { get; set; }

    /// <summary>Datagrams dropped: no endpoint, no session to be had, too long, or the socket's queue was full.</summary>
    public long Dropped { get; internal set; }

    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static UdpListener Open(LoopWorker worker, ListenerSnapshot listener, EndPoint address, UdpServices services) =>
        new(worker, ListeningSocket.Open(listener, address, SocketCalls.Datagram), listener, services);

    public void Start() => Loop.Register(this, Epoll.In);

    public void Close()
    {
        foreach (UdpSession session in _sessions.Values.ToArray())
        {
            session.End(ResponseFlags.None, EndedBy.Proxy, "listener_closed");
        }

        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
    }

    /// <summary>Sends an answer to a client from the address it sent to.</summary>
    public bool Reply(IPEndPoint client, void* datagram, nint length)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        int addressLength = SocketAddressBytes.Write(client, new Span<byte>(address, SocketAddressBytes.Capacity));
        return SocketCalls.SendTo(Fd, datagram, length, SocketCalls.DontWait, address, addressLength) >= 0;
    }

    internal void Forget(UdpSession session) => _sessions.Remove(session.Client);

    internal override void OnEvents(uint events)
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        byte* datagram = Loop.Memory.Scratch;
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            int addressLength = SocketAddressBytes.Capacity;
            nint length = SocketCalls.ReceiveFrom(Fd, datagram, Loop.Memory.ScratchLength, 0, address, &addressLength);
            if (length < 0)
            {
                return;
            }

            if (SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(address, addressLength)) is { } client
                && length <= Listener.Udp!.MaxDatagramBytes
                && Session(client) is { } session)
            {
                session.Forward(datagram, length);
            }
            else
            {
                Dropped++;
            }
        }
    }

    private UdpSession? Session(IPEndPoint client)
    {
        if (_sessions.TryGetValue(client, out UdpSession? known))
        {
            return known;
        }

        _services.Reporter.Opened(Listener);
        var record = new ConnectionRecord(_services.Reporter, Interlocked.Increment(ref s_nextId), Listener)
        {
            DirectRemote = client,
            Remote = client,
            Local = SocketTuning.LocalEndPoint(Fd),
        };
        UdpSession? session = Connect(client, record);
        if (session is null)
        {
            record.Complete();
            return null;
        }

        _sessions[client] = session;
        return session;
    }

    private UdpSession? Connect(IPEndPoint client, ConnectionRecord record)
    {
        record.ClusterName = Listener.Udp!.Cluster;
        if (!_services.Snapshots.Current.Clusters.TryGetValue(record.ClusterName, out ClusterSnapshot? cluster))
        {
            record.Fail(ResponseFlags.NC, EndedBy.Proxy, "cluster_not_found");
            return null;
        }

        if (LoadBalancer.Pick(cluster, new PickContext { Random = _worker.Random }) is not { } endpoint)
        {
            UpstreamConnector.FailWithoutEndpoint(record, cluster);
            return null;
        }

        record.UpstreamHost = endpoint.Address;
        if (_services.Guard.IsOwnListener(endpoint.Address))
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

        return OpenSession(client, record, cluster, endpoint);
    }

    private UdpSession? OpenSession(IPEndPoint client, ConnectionRecord record, ClusterSnapshot cluster, EndpointSnapshot endpoint)
    {
        int fd = UdpSession.Connect(endpoint.Address, cluster, out int error);
        if (fd < 0)
        {
            cluster.State.Release();
            record.UpstreamFailure = Marshal.GetPInvokeErrorMessage(error);
            record.Fail(ResponseFlags.UF, EndedBy.Proxy, "upstream_connect_failure");
            return null;
        }

        Interlocked.Increment(ref cluster.State.Counters.CxTotal);
        record.UpstreamLocal = SocketTuning.LocalEndPoint(fd);
        return new UdpSession(this, fd, client, record, cluster, endpoint, Listener.Udp!.IdleTimeout);
    }
}

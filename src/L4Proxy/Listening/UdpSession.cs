using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>The datagrams of one flow: a connected upstream socket, so that only its endpoint can answer.</summary>
internal sealed unsafe class UdpSession : IoHandler
{
    private const int BatchSize = 64;

    private readonly UdpListener _listener;
    private readonly UdpReply? _reply;
    private readonly ConnectionRecord _record;
    private readonly ClusterState _cluster;
    private readonly EndpointSnapshot _endpoint;
    private readonly UdpServices _services;
    private readonly UdpCounters _counters;
    private readonly TimeSpan _idleTimeout;
    private readonly int _maxDatagram;
    private readonly LoopTimer _idle;
    private long _lastActivity;

    /// <summary>Takes the descriptor and, once <see cref="Start"/> has succeeded, everything else it is given.</summary>
    public UdpSession(
        UdpListener listener,
        int fd,
        DatagramFlow flow,
        UdpReply? reply,
        ConnectionRecord record,
        ClusterSnapshot cluster,
        EndpointSnapshot endpoint,
        UdpServices services)
        : base(listener.Loop, fd)
    {
        (_listener, _reply, _record, _cluster, _endpoint, _services) = (listener, reply, record, cluster.State, endpoint, services);
        _counters = listener.Counters;
        _idleTimeout = listener.Listener.Udp!.IdleTimeout;
        _maxDatagram = listener.Listener.Udp.MaxDatagramBytes;
        Flow = flow;
        _lastActivity = Loop.NowMilliseconds;
        _idle = new LoopTimer(static session => ((UdpSession)session!).CheckIdle(), this);
    }

    public DatagramFlow Flow { get; }

    /// <summary>Begins to listen for answers; 0, or errno with the descriptor closed.</summary>
    public int Start()
    {
        int error = Loop.TryRegister(this, Epoll.In);
        if (error != 0)
        {
            Descriptors.Close(Fd);
            Fd = -1;
            return error;
        }

        if (_record.UpstreamLocal is { } local)
        {
            _services.Guard.Opened(ProtocolType.Udp, local, _endpoint.Address);
        }

        _reply?.Session = this;
        _endpoint.State.Opened();
        Loop.Timers.Arm(_idle, _idleTimeout);
        return 0;
    }

    /// <summary>A connected datagram descriptor, or -1 with errno.</summary>
    public static int Connect(EndPoint address, ClusterSnapshot cluster, out int error)
    {
        int fd = DescriptorReserve.OpenSocket(SocketAddressBytes.Family(address), SocketCalls.Datagram, out error);
        if (fd < 0)
        {
            return -1;
        }

        IPEndPoint? source = address.AddressFamily == AddressFamily.InterNetworkV6 ? cluster.BindV6 : cluster.BindV4;
        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        var span = new Span<byte>(bytes, SocketAddressBytes.Capacity);
        bool failed = source is not null && SocketCalls.Bind(fd, bytes, SocketAddressBytes.Write(source, span)) < 0;
        failed = failed || SocketCalls.Connect(fd, bytes, SocketAddressBytes.Write(address, span)) < 0;
        error = failed ? Marshal.GetLastSystemError() : 0;
        if (!failed)
        {
            return fd;
        }

        Descriptors.Close(fd);
        return -1;
    }

    /// <summary>Passes a client's datagram on, or drops it and counts why.</summary>
    public void Forward(void* datagram, nint length)
    {
        if (length > _maxDatagram)
        {
            Interlocked.Increment(ref _counters.TooLong);
            return;
        }

        Touch();
        int error = DatagramSocket.Send(Fd, datagram, length, ref _counters.SentAgain);
        if (error != 0)
        {
            Interlocked.Increment(ref _counters.UpstreamSendErrors);
            EndIfRefused(error);
            return;
        }

        Interlocked.Increment(ref _counters.Received);
        _record.BytesReceived += length;
    }

    public void End(ResponseFlags flags, EndedBy by, string details)
    {
        if (Fd < 0)
        {
            return;
        }

        _listener.Forget(this);
        Loop.Timers.Cancel(_idle);
        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
        _reply?.Close();
        if (_record.UpstreamLocal is { } local)
        {
            _services.Guard.Closed(ProtocolType.Udp, local, _endpoint.Address);
        }

        _endpoint.State.Closed();
        _cluster.Release();
        _services.Sessions.Leave();
        if (flags == ResponseFlags.None)
        {
            _record.EndedBy = by;
            _record.Details = details;
        }
        else
        {
            _record.Fail(flags, by, details);
        }

        _record.Complete();
    }

    internal override void OnEvents(uint events) => Receive();

    /// <summary>Passes on the answers that have arrived; false when there was none.</summary>
    private bool Receive()
    {
        byte* datagram = Loop.Memory.Scratch;
        bool any = false;
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            nint length = SocketCalls.Receive(Fd, datagram, Loop.Memory.ScratchLength, 0);
            if (length < 0)
            {
                EndIfRefused(Marshal.GetLastSystemError());
                return any;
            }

            any = true;
            Touch();
            if ((_reply is null ? _listener.Reply(Flow, datagram, length) : _reply.Send(datagram, length)) == 0)
            {
                Interlocked.Increment(ref _counters.Sent);
                _record.BytesSent += length;
            }
            else
            {
                Interlocked.Increment(ref _counters.ClientSendErrors);
            }
        }

        return any;
    }

    /// <summary>ECONNREFUSED is an ICMP answer to an earlier datagram: nobody listens there. A full queue only drops.</summary>
    private void EndIfRefused(int error)
    {
        if (error == Errno.ECONNREFUSED)
        {
            _record.UpstreamFailure = Marshal.GetPInvokeErrorMessage(error);
            End(ResponseFlags.UF, EndedBy.Upstream, "upstream_port_unreachable");
        }
    }

    private void Touch() => _lastActivity = Loop.NowMilliseconds;

    private void CheckIdle()
    {
        TimeSpan idle = TimeSpan.FromMilliseconds(Loop.NowMilliseconds - _lastActivity);
        if (idle >= _idleTimeout && !Receive() && _reply?.Receive() != true)
        {
            End(ResponseFlags.None, EndedBy.Proxy, "udp_session_idle_timeout");
        }
        else if (Fd >= 0)
        {
            // Also when something had come in meanwhile: closing would lose it. The refusal that ends a session may come so.
            Loop.Timers.Arm(_idle, idle < _idleTimeout ? _idleTimeout - idle : _idleTimeout);
        }
    }
}

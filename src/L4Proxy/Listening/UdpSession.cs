using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>The datagrams of one client: a connected upstream socket, so that only its endpoint can answer.</summary>
internal sealed unsafe class UdpSession : IoHandler
{
    private const int BatchSize = 64;

    private readonly UdpListener _listener;
    private readonly ConnectionRecord _record;
    private readonly ClusterSnapshot _cluster;
    private readonly EndpointSnapshot _endpoint;
    private readonly TimeSpan _idleTimeout;
    private readonly LoopTimer _idle;
    private long _lastActivity;

    public UdpSession(
        UdpListener listener, int fd, IPEndPoint client, ConnectionRecord record, ClusterSnapshot cluster, EndpointSnapshot endpoint, TimeSpan idleTimeout)
        : base(listener.Loop, fd)
    {
        _listener = listener;
        _record = record;
        _cluster = cluster;
        _endpoint = endpoint;
        _idleTimeout = idleTimeout;
        Client = client;
        _lastActivity = Loop.NowMilliseconds;
        _idle = new LoopTimer(static session => ((UdpSession)session!).CheckIdle(), this);
        endpoint.State.Opened();
        Loop.Register(this, Epoll.In);
        Loop.Timers.Arm(_idle, idleTimeout);
    }

    public IPEndPoint Client { get; }

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

    public void Forward(void* datagram, nint length)
    {
        Touch();
        nint sent = SocketCalls.Send(Fd, datagram, length, SocketCalls.NoSignal);
        if (sent < 0)
        {
            Refused(Marshal.GetLastSystemError());
            return;
        }

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
        _endpoint.State.Closed();
        _cluster.State.Release();
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

    internal override void OnEvents(uint events)
    {
        byte* datagram = Loop.Memory.Scratch;
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            nint length = SocketCalls.Receive(Fd, datagram, Loop.Memory.ScratchLength, 0);
            if (length < 0)
            {
                Refused(Marshal.GetLastSystemError());
                return;
            }

            Touch();
            if (_listener.Reply(Client, datagram, length))
            {
                _record.BytesSent += length;
            }
            else
            {
                _listener.Dropped++;
            }
        }
    }

    /// <summary>ECONNREFUSED is an ICMP answer to an earlier datagram: nobody listens there. A full queue only drops.</summary>
    private void Refused(int error)
    {
        if (error == Errno.ECONNREFUSED)
        {
            _record.UpstreamFailure = Marshal.GetPInvokeErrorMessage(error);
            End(ResponseFlags.UF, EndedBy.Upstream, "upstream_port_unreachable");
        }
        else if (error != Errno.EAGAIN)
        {
            _listener.Dropped++;
        }
    }

    private void Touch() => _lastActivity = Loop.NowMilliseconds;

    private void CheckIdle()
    {
        TimeSpan idle = TimeSpan.FromMilliseconds(Loop.NowMilliseconds - _lastActivity);
        if (idle >= _idleTimeout)
        {
            End(ResponseFlags.None, EndedBy.Proxy, "udp_session_idle_timeout");
        }
        else
        {
            Loop.Timers.Arm(_idle, _idleTimeout - idle);
        }
    }
}

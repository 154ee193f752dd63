using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Upstream;

/// <summary>Result of one attempt: a connected socket, or the reason there is none.</summary>
/// <param name="Socket">Connected and watched; null on failure.</param>
/// <param name="Error">errno; ETIMEDOUT when the connect timeout passed; 0 on success.</param>
/// <param name="DownstreamGone">The client reset its connection meanwhile.</param>
/// <param name="Local">What the kernel bound the socket to; null for Unix sockets. Registered with the loop guard until closed.</param>
internal readonly record struct ConnectResult(LoopSocket? Socket, int Error, bool DownstreamGone, IPEndPoint? Local)
{
    public bool TimedOut => Error == Errno.ETIMEDOUT;
}

/// <summary>One non-blocking connect(2), watched together with the client who waits for it.</summary>
internal sealed unsafe class ConnectAttempt : ISocketOwner, IValueTaskSource<ConnectResult>
{
    private readonly EventLoop _loop;
    private readonly LoopSocket? _downstream;
    private readonly LoopTimer _timer;
    private readonly LoopGuard _guard;
    private ManualResetValueTaskSourceCore<ConnectResult> _done;
    private LoopSocket? _socket;
    private readonly IPEndPoint? _local;
    private readonly EndPoint _target;
    private ISocketOwner? _ownerBefore;
    private bool _finished;

    private ConnectAttempt(EventLoop loop, LoopGuard guard, IPEndPoint? local, EndPoint target, LoopSocket? downstream)
    {
        _loop = loop;
        _guard = guard;
        _local = local;
        _target = target;
        _downstream = downstream;
        _timer = new LoopTimer(static attempt => ((ConnectAttempt)attempt!).Fail(Errno.ETIMEDOUT, gone: false), this);
    }

    /// <summary>Connects to an endpoint of <paramref name="cluster"/>. Completes on the loop.</summary>
    /// <param name="loop">The calling loop.</param>
    /// <param name="address">IP or Unix end point.</param>
    /// <param name="cluster">Time-out, bind address and keep-alive.</param>
    /// <param name="downstream">Watched for a reset while connecting; null for none.</param>
    /// <param name="source">The client's address to connect from in place of the cluster's bind address; null for none.</param>
    /// <param name="guard">Told the local end point as soon as the kernel chose it, before the peer can act on it.</param>
    public static ValueTask<ConnectResult> ConnectAsync(
        EventLoop loop, EndPoint address, ClusterSnapshot cluster, LoopSocket? downstream, LoopGuard guard, SourceAddress? source = null)
    {
        int fd = DescriptorReserve.OpenSocket(SocketAddressBytes.Family(address), SocketCalls.Stream, out int error);
        if (fd < 0)
        {
            return ValueTask.FromResult(new ConnectResult(null, error, false, null));
        }

        error = Configure(fd, address, cluster, source);
        IPEndPoint? local = null;

        // From a client's address, the way back is told by the mark: the guard would take the client's next connection for ours.
        error = error != 0 ? error : source is null ? Dial(loop, fd, address, guard, out local) : Begin(fd, address);
        if (error != 0)
        {
            Descriptors.Close(fd);
            return ValueTask.FromResult(new ConnectResult(null, error, false, null));
        }

        return new ConnectAttempt(loop, guard, local, address, downstream).Wait(fd, cluster.ConnectTimeout);
    }

    public void OnSocketReady(LoopSocket socket)
    {
        if (socket == _downstream)
        {
            if (socket.Failed)
            {
                Fail(Errno.ECONNRESET, gone: true);
            }

            _ownerBefore?.OnSocketReady(socket);
        }
        else if (socket.Writable)
        {
            int error = socket.Failed ? SocketTuning.TakeError(socket.Fd) : 0;
            if (error != 0)
            {
                Fail(error, gone: false);
            }
            else
            {
                Finish(new ConnectResult(socket, 0, false, _local));
            }
        }
    }

    ConnectResult IValueTaskSource<ConnectResult>.GetResult(short token) => _done.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ConnectResult>.GetStatus(short token) => _done.GetStatus(token);

    void IValueTaskSource<ConnectResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _done.OnCompleted(continuation, state, token, flags);

    private static int Configure(int fd, EndPoint address, ClusterSnapshot cluster, SourceAddress? source)
    {
        if (address is not IPEndPoint ip)
        {
            return 0;
        }

        SocketTuning.NoDelay(fd);
        if (cluster.Keepalive is { } keepalive)
        {
            SocketTuning.Keepalive(fd, keepalive.Probes, keepalive.TimeSeconds, keepalive.IntervalSeconds);
        }

        if (source is { } client)
        {
            return client.Prepare(fd, ip.AddressFamily) is var refused and not 0 ? refused : Bind(fd, client.Address);
        }

        IPEndPoint? bind = ip.AddressFamily == AddressFamily.InterNetwork ? cluster.BindV4 : cluster.BindV6;
        return bind is null ? 0 : Bind(fd, bind);
    }

    private static int Bind(int fd, IPEndPoint source)
    {
        if (source.Port == 0)
        {
            SocketTuning.BindAddressOnly(fd);
        }

        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Write(source, new Span<byte>(bytes, SocketAddressBytes.Capacity));
        return SocketCalls.Bind(fd, bytes, length) < 0 ? Marshal.GetLastSystemError() : 0;
    }

    /// <summary>connect(2), then the loop guard's entry; other loops wait for the two as one.</summary>
    private static int Dial(EventLoop loop, int fd, EndPoint address, LoopGuard guard, out IPEndPoint? local)
    {
        guard.Dials.Begin(loop.Index);
        int error = Begin(fd, address);
        local = error == 0 && address is IPEndPoint ? SocketTuning.LocalEndPoint(fd) : null;
        if (local is not null)
        {
            guard.Opened(ProtocolType.Tcp, local, address);
        }

        guard.Dials.End(loop.Index);
        return error;
    }

    private static int Begin(int fd, EndPoint address)
    {
        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Write(address, new Span<byte>(bytes, SocketAddressBytes.Capacity));
        if (SocketCalls.Connect(fd, bytes, length) == 0)
        {
            return 0;
        }

        int error = Marshal.GetLastSystemError();
        return error == Errno.EINPROGRESS ? 0 : error;
    }

    private ValueTask<ConnectResult> Wait(int fd, TimeSpan timeout)
    {
        _socket = new LoopSocket(_loop, fd) { Owner = this };
        int error = _socket.Watch(forWriting: true);
        if (error != 0)
        {
            Fail(error, gone: false);
            return new ValueTask<ConnectResult>(this, _done.Version);
        }

        // It may have been reset before anybody watched: the loop tells of that once.
        if (_downstream is { Failed: true })
        {
            Fail(Errno.ECONNRESET, gone: true);
            return new ValueTask<ConnectResult>(this, _done.Version);
        }

        _loop.Timers.Arm(_timer, timeout);
        if (_downstream is not null)
        {
            _ownerBefore = _downstream.Owner;
            _downstream.Owner = this;
        }

        return new ValueTask<ConnectResult>(this, _done.Version);
    }

    private void Fail(int error, bool gone)
    {
        _socket?.Close();
        if (_local is not null)
        {
            _guard.Closed(ProtocolType.Tcp, _local, _target);
        }

        Finish(new ConnectResult(null, error, gone, null));
    }

    private void Finish(ConnectResult result)
    {
        if (_finished)
        {
            return;
        }

        _finished = true;
        _loop.Timers.Cancel(_timer);
        if (_downstream is { } client && client.Owner == this)
        {
            client.Owner = _ownerBefore;
        }

        if (result.Socket is { } socket)
        {
            socket.Owner = null;
        }

        _done.SetResult(result);
    }
}

using System.Net;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// The listening socket of one listener on one loop. Level-triggered, so a batch left in the queue comes back. Out of
/// descriptors, or down to the reserve, it stops asking for a while; the kernel keeps the clients in its queue.
/// </summary>
internal sealed unsafe class AcceptSocket : IoHandler, ILoopListener
{
    private const int BatchSize = 64;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(16);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    private readonly Action<AcceptSocket, int, IPEndPoint?> _accepted;
    private readonly LoopTimer _resume;
    private TimeSpan _pause = FirstPause;

    private AcceptSocket(EventLoop loop, int fd, ListenerSnapshot listener, Action<AcceptSocket, int, IPEndPoint?> accepted)
        : base(loop, fd)
    {
        Listener = listener;
        _accepted = accepted;
        _resume = new LoopTimer(static socket => ((AcceptSocket)socket!).Resume(), this);
    }

    /// <summary>The listener as configured now; replaced in place when only its chains changed.</summary>
    public ListenerSnapshot Listener { get; set; }

    /// <summary>Times accepting paused because the descriptors ran out, or all but the reserve.</summary>
    public long DescriptorsExhausted { get; private set; }

    /// <summary>Binds and listens; the error is an errno with the call's name.</summary>
    /// <exception cref="IOException">The address cannot be bound.</exception>
    public static AcceptSocket Open(EventLoop loop, ListenerSnapshot listener, EndPoint address, Action<AcceptSocket, int, IPEndPoint?> accepted)
    {
        int fd = ListeningSocket.Open(listener, address, SocketCalls.Stream);
        if (SocketCalls.Listen(fd, listener.Backlog) < 0)
        {
            throw ListeningSocket.CloseAndExplain(fd, "listen", listener, address, Marshal.GetLastSystemError());
        }

        return new AcceptSocket(loop, fd, listener, accepted);
    }

    public void Start() => Loop.Register(this, Epoll.In);

    /// <summary>Takes what the kernel has queued already, for closing would reset those clients, then closes.</summary>
    public void Close()
    {
        for (int batch = 0; batch < Listener.Backlog / BatchSize && AcceptBatch(); batch++)
        {
        }

        Loop.Timers.Cancel(_resume);
        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
    }

    internal override void OnEvents(uint events) => AcceptBatch();

    /// <summary>True when a whole batch was taken, so that more may be waiting.</summary>
    private bool AcceptBatch()
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            int length = SocketAddressBytes.Capacity;
            int fd = SocketCalls.Accept(Fd, address, &length, SocketCalls.NonBlocking | SocketCalls.CloseOnExec);
            if (fd < 0)
            {
                HandleError(Marshal.GetLastSystemError());
                return false;
            }

            bool room = DescriptorReserve.RoomToAccept(fd);
            _pause = room ? FirstPause : _pause;
            _accepted(this, fd, SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(address, length)));
            if (!room)
            {
                Pause();
                return false;
            }
        }

        return Fd >= 0;
    }

    private void HandleError(int error)
    {
        if (error is Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM)
        {
            Pause();
        }
    }

    private void Pause()
    {
        if (Fd < 0)
        {
            return;
        }

        DescriptorsExhausted++;
        Loop.Modify(this, 0);
        Loop.Timers.Arm(_resume, _pause);
        _pause = _pause * 2 > LongestPause ? LongestPause : _pause * 2;
    }

    private void Resume()
    {
        if (Fd < 0)
        {
            return;
        }

        if (DescriptorReserve.RoomToAcceptAgain(Fd))
        {
            Loop.Modify(this, Epoll.In);
        }
        else
        {
            Pause();
        }
    }
}

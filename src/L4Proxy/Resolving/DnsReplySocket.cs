using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Resolving;

/// <summary>
/// Answers one client of a transparent listener from the server it asked. Connected, so that it takes nobody else's datagrams; the
/// client's next questions arrive here. Closes a while after the last.
/// </summary>
internal sealed unsafe class DnsReplySocket : IoHandler
{
    /// <summary>Sockets of one loop; beyond it each answer has a socket of its own.</summary>
    public const int Most = 1024;

    private const int BatchSize = 16;
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);

    private readonly DnsDatagramListener _listener;
    private readonly DatagramFlow _flow;
    private readonly LoopTimer _timer;

    private DnsReplySocket(DnsDatagramListener listener, int fd, DatagramFlow flow)
        : base(listener.Loop, fd)
    {
        (_listener, _flow) = (listener, flow);
        _timer = new LoopTimer(static socket => ((DnsReplySocket)socket!).Close(), this);
    }

    /// <summary>Null when the kernel refuses: no right to the port, or somebody listens on the address itself.</summary>
    public static DnsReplySocket? Open(DnsDatagramListener listener, DatagramFlow flow)
    {
        int fd = DescriptorReserve.OpenSocket(SocketAddressBytes.Family(flow.Destination!), SocketCalls.Datagram, out _);
        if (fd < 0)
        {
            return null;
        }

        var socket = new DnsReplySocket(listener, fd, flow);
        if (Prepare(fd, flow) && listener.Loop.TryRegister(socket, Epoll.In) == 0)
        {
            return socket;
        }

        Descriptors.Close(fd);
        return null;
    }

    /// <summary>Sends an answer; false when the kernel did not take it.</summary>
    public bool Send(void* answer, int length)
    {
        Loop.Timers.Arm(_timer, Idle);
        return SocketCalls.Send(Fd, answer, length, SocketCalls.NoSignal) == length;
    }

    /// <summary>Takes what has arrived, which nobody else will, and closes.</summary>
    public void Close() => Close(takeRest: true);

    /// <summary>Closes; without <paramref name="takeRest"/> questions that have arrived are lost, and their client asks again.</summary>
    public void Close(bool takeRest)
    {
        if (Fd < 0)
        {
            return;
        }

        if (takeRest)
        {
            Receive();
        }

        Loop.Timers.Cancel(_timer);
        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
        _listener.Forget(_flow);
    }

    internal override void OnEvents(uint events) => Receive();

    private static bool Prepare(int fd, DatagramFlow flow)
    {
        SocketTuning.ReuseAddress(fd);
        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        var span = new Span<byte>(bytes, SocketAddressBytes.Capacity);
        return TransparentSocket.TryEnable(fd, flow.Destination!.AddressFamily)
            && SocketCalls.Bind(fd, bytes, SocketAddressBytes.Write(flow.Destination, span)) == 0
            && SocketCalls.Connect(fd, bytes, SocketAddressBytes.Write(flow.Client, span)) == 0;
    }

    private void Receive()
    {
        byte* name = stackalloc byte[SocketAddressBytes.Capacity];
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            int nameLength = SocketAddressBytes.Capacity;
            nint length = SocketCalls.ReceiveFrom(Fd, Loop.Memory.Scratch, Loop.Memory.ScratchLength, 0, name, &nameLength);
            if (length < 0)
            {
                return;
            }

            // Between bind and connect a stranger's datagram may have come in.
            if (_flow.Client.Equals(SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(name, nameLength))))
            {
                _listener.Take(new ReadOnlySpan<byte>(Loop.Memory.Scratch, (int)length), DnsDatagramListener.ClientOf(_flow.Client, _flow.Destination));
            }
        }
    }
}

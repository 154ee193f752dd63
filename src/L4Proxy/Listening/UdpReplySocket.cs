using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>
/// Answers one client from the original destination of its datagrams, an address this machine need not have. Connected to
/// the client: a socket bound to the destination alone would take datagrams away from whoever really listens there. TPROXY
/// looks for a connected socket first, so the client's later datagrams arrive here and not at the listener.
/// </summary>
internal sealed unsafe class UdpReplySocket : UdpReply
{
    private const int BatchSize = 64;

    private readonly DatagramFlow _flow;

    private UdpReplySocket(EventLoop loop, int fd, DatagramFlow flow, UdpCounters counters)
        : base(loop, fd, counters) => _flow = flow;

    /// <summary>Binds to the flow's destination and connects to its client. Null with errno when that cannot be; EADDRINUSE when a program here
    /// listens on the destination itself without SO_REUSEADDR.</summary>
    public static UdpReplySocket? TryOpen(EventLoop loop, DatagramFlow flow, UdpCounters counters, out int error)
    {
        IPEndPoint from = flow.Destination!;
        int fd = SocketCalls.Socket(
            SocketAddressBytes.Family(from), SocketCalls.Datagram | SocketCalls.NonBlocking | SocketCalls.CloseOnExec, 0);
        error = fd < 0 ? Marshal.GetLastSystemError() : Prepare(fd, from, flow.Client);
        if (error == 0)
        {
            var socket = new UdpReplySocket(loop, fd, flow, counters);
            error = loop.TryRegister(socket, Epoll.In);
            if (error == 0)
            {
                return socket;
            }

            socket.Close();
            fd = -1;
        }

        if (fd >= 0)
        {
            Descriptors.Close(fd);
        }

        return null;
    }

    /// <inheritdoc/>
    public override int Send(void* datagram, nint length) => DatagramSocket.Send(Fd, datagram, length, ref Counters.SentAgain);

    /// <inheritdoc/>
    public override bool Receive()
    {
        byte* address = stackalloc byte[SocketAddressBytes.Capacity];
        byte* datagram = Loop.Memory.Scratch;
        bool any = false;
        for (int i = 0; i < BatchSize && Fd >= 0; i++)
        {
            int addressLength = SocketAddressBytes.Capacity;
            nint length = SocketCalls.ReceiveFrom(Fd, datagram, Loop.Memory.ScratchLength, 0, address, &addressLength);
            if (length < 0)
            {
                // An ICMP error says that the client is gone; the session's idle time-out deals with that.
                return any;
            }

            // Between bind and connect a stranger's datagram may have come in.
            if (_flow.Client.Equals(SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(address, addressLength))))
            {
                any = true;
                Session?.Forward(datagram, length);
            }
        }

        return any;
    }

    private static int Prepare(int fd, IPEndPoint from, IPEndPoint client)
    {
        SocketTuning.ReuseAddress(fd);
        if (!TransparentSocket.TryEnable(fd, from.AddressFamily))
        {
            return Marshal.GetLastPInvokeError();
        }

        if (from.AddressFamily == AddressFamily.InterNetworkV6)
        {
            SocketTuning.OnlyIpv6(fd);
        }

        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        var span = new Span<byte>(bytes, SocketAddressBytes.Capacity);
        bool failed = SocketCalls.Bind(fd, bytes, SocketAddressBytes.Write(from, span)) < 0
            || SocketCalls.Connect(fd, bytes, SocketAddressBytes.Write(client, span)) < 0;
        return failed ? Marshal.GetLastSystemError() : 0;
    }
}

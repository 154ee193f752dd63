using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Listening;

/// <summary>Answers one client from the original destination of its datagrams.</summary>
internal abstract unsafe class UdpReply : IoHandler
{
    protected UdpReply(EventLoop loop, int fd, UdpCounters counters)
        : base(loop, fd)
    {
        Counters = counters;
        Interlocked.Increment(ref counters.ReplySockets);
    }

    /// <summary>Takes what the client sends.</summary>
    public UdpSession? Session { get; set; }

    protected UdpCounters Counters { get; }

    /// <summary>Opens one for the flow's destination. Null with the reason when that cannot be.</summary>
    /// <param name="loop">The session's loop.</param>
    /// <param name="flow">Has a destination.</param>
    /// <param name="counters">Of the listener's udp_proxy.</param>
    /// <param name="reason">In words.</param>
    public static UdpReply? Open(EventLoop loop, DatagramFlow flow, UdpCounters counters, out string reason)
    {
        UdpReply? reply = UdpReplySocket.TryOpen(loop, flow, counters, out int error);
        reason = Marshal.GetPInvokeErrorMessage(error);
        if (error == Errno.EACCES)
        {
            reason += $": CAP_NET_BIND_SERVICE is needed to answer from port {flow.Destination!.Port}";
        }
        else if (error == Errno.EADDRINUSE && (reply = UdpRawReply.TryOpen(loop, flow, counters, out int rawError)) is null)
        {
            reason += $": a program of this pod has port {flow.Destination!.Port} to itself (no SO_REUSEADDR), and beside it "
                + (rawError == Errno.EPERM ? "CAP_NET_RAW is needed to answer" : $"no raw socket can be had: {Marshal.GetPInvokeErrorMessage(rawError)}");
        }

        if (reply is not null)
        {
            reason = "";
            return reply;
        }

        Interlocked.Increment(ref counters.ReplySocketFailures);
        return null;
    }

    /// <summary>Sends to the client; 0 or errno.</summary>
    public abstract int Send(void* datagram, nint length);

    /// <summary>Passes on what has arrived here; false when nothing had.</summary>
    public abstract bool Receive();

    public void Close()
    {
        if (Fd < 0)
        {
            return;
        }

        Loop.Unregister(this, closing: true);
        Descriptors.Close(Fd);
        Fd = -1;
        Interlocked.Decrement(ref Counters.ReplySockets);
    }

    internal override void OnEvents(uint events) => Receive();
}

namespace MeshL4.L4Proxy.Sockets;

/// <summary>Something with a descriptor on a loop. Every member runs on that loop.</summary>
internal abstract class IoHandler
{
    protected IoHandler(EventLoop loop, int fd)
    {
        Loop = loop;
        Fd = fd;
    }

    public EventLoop Loop { get; }

    public int Fd { get; protected set; }

    /// <summary>Index in the loop's table while registered, else -1. Owned by the loop.</summary>
    internal int Slot { get; set; } = -1;

    /// <summary>Called with the epoll bits that are set; 0 after <see cref="EventLoop.Requeue"/>.</summary>
    internal abstract void OnEvents(uint events);
}

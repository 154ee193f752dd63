using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>epoll(7) and eventfd(2). Calls return -1 on failure; the reason is <see cref="Marshal.GetLastSystemError"/>.</summary>
internal static unsafe partial class Epoll
{
    public const uint In = 0x001;
    public const uint Out = 0x004;
    public const uint Error = 0x008;
    public const uint HangUp = 0x010;
    public const uint ReadHangUp = 0x2000;
    public const uint EdgeTriggered = 1u << 31;

    public const int CloseOnExec = 0x80000;
    public const int ControlAdd = 1;
    public const int ControlDelete = 2;
    public const int ControlModify = 3;

    public const int EventFdNonBlocking = 0x800;

    [LibraryImport("libc", EntryPoint = "epoll_create1")]
    public static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl")]
    public static partial int Control(int epoll, int operation, int fd, EpollEvent* @event);

    [LibraryImport("libc", EntryPoint = "epoll_wait")]
    public static partial int Wait(int epoll, EpollEvent* events, int capacity, int timeoutMilliseconds);

    /// <summary>As <see cref="Wait(int, EpollEvent*, int, int)"/>, with a time-out in nanoseconds; <paramref name="signals"/> is null for the mask as it is.</summary>
    [LibraryImport("libc", EntryPoint = "epoll_pwait2")]
    public static partial int Wait(int epoll, EpollEvent* events, int capacity, TimeSpec* timeout, void* signals);

    [LibraryImport("libc", EntryPoint = "eventfd")]
    public static partial int EventFd(uint initial, int flags);
}

/// <summary>struct epoll_event: packed on x86-64 and naturally aligned elsewhere.</summary>
internal struct EpollEvent
{
    // Three 32-bit fields have the packed x86-64 layout without asking for one.
    public uint Events;
    public uint DataLow;
    public uint DataHigh;
}

/// <summary>struct timespec on 64-bit systems.</summary>
internal struct TimeSpec
{
    public long Seconds;
    public long Nanoseconds;
}

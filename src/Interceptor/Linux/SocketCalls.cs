using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>socket(7) calls without options. All return -1 on failure; the reason is <see cref="Marshal.GetLastSystemError"/>.</summary>
internal static unsafe partial class SocketCalls
{
    public const int FamilyUnix = 1;
    public const int FamilyInet = 2;
    public const int FamilyInet6 = 10;

    public const int Stream = 1;
    public const int Datagram = 2;
    public const int NonBlocking = 0x800;
    public const int CloseOnExec = 0x80000;

    public const int NoSignal = 0x4000;
    public const int DontWait = 0x40;

    public const int ShutdownRead = 0;
    public const int ShutdownWrite = 1;
    public const int ShutdownBoth = 2;

    [LibraryImport("libc", EntryPoint = "socket")]
    public static partial int Socket(int family, int type, int protocol);

    [LibraryImport("libc", EntryPoint = "bind")]
    public static partial int Bind(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "listen")]
    public static partial int Listen(int fd, int backlog);

    [LibraryImport("libc", EntryPoint = "accept4")]
    public static partial int Accept(int fd, byte* address, int* length, int flags);

    [LibraryImport("libc", EntryPoint = "connect")]
    public static partial int Connect(int fd, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "recv")]
    public static partial nint Receive(int fd, void* buffer, nint count, int flags);

    [LibraryImport("libc", EntryPoint = "send")]
    public static partial nint Send(int fd, void* buffer, nint count, int flags);

    [LibraryImport("libc", EntryPoint = "recvfrom")]
    public static partial nint ReceiveFrom(int fd, void* buffer, nint count, int flags, byte* address, int* length);

    [LibraryImport("libc", EntryPoint = "sendto")]
    public static partial nint SendTo(int fd, void* buffer, nint count, int flags, byte* address, int length);

    [LibraryImport("libc", EntryPoint = "shutdown")]
    public static partial int Shutdown(int fd, int how);

    /// <summary>SIOCOUTQ, for <see cref="IoControl"/>: of a stream socket, bytes that its peer's kernel has not acknowledged.</summary>
    public const nuint OutQueue = 0x5411;

    /// <summary>ioctl(2) for what tells or takes one C int.</summary>
    [LibraryImport("libc", EntryPoint = "ioctl")]
    public static partial int IoControl(int fd, nuint request, int* value);

    [LibraryImport("libc", EntryPoint = "getsockname")]
    public static partial int GetSockName(int fd, byte* address, int* length);

    [LibraryImport("libc", EntryPoint = "getpeername")]
    public static partial int GetPeerName(int fd, byte* address, int* length);
}

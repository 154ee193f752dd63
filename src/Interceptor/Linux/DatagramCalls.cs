using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>recvmsg(2) and sendmsg(2): datagrams with control messages. Both return -1 on failure; the reason is
/// <see cref="Marshal.GetLastSystemError"/>.</summary>
internal static unsafe partial class DatagramCalls
{
    /// <summary>MSG_CTRUNC: control messages were cut for want of room.</summary>
    public const int ControlTruncated = 0x8;

    /// <summary>MSG_TRUNC: the datagram was longer than the buffer.</summary>
    public const int Truncated = 0x20;

    [LibraryImport("libc", EntryPoint = "recvmsg")]
    public static partial nint Receive(int fd, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "sendmsg")]
    public static partial nint Send(int fd, MessageHeader* message, int flags);
}

/// <summary>struct msghdr (sys/socket.h).</summary>
internal unsafe struct MessageHeader
{
    public byte* Name;
    public uint NameLength;
    public IoVector* Parts;
    public nuint PartCount;
    public byte* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct iovec (sys/uio.h).</summary>
internal unsafe struct IoVector
{
    public void* Base;
    public nuint Length;
}

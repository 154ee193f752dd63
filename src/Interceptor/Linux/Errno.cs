using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>errno(3) values as Linux numbers them on every architecture .NET supports, and their text.</summary>
internal static class Errno
{
    /// <summary>Operation not permitted: a capability is missing.</summary>
    public const int EPERM = 1;

    /// <summary>No such file; for SO_ORIGINAL_DST: no conntrack entry.</summary>
    public const int ENOENT = 2;

    /// <summary>A signal arrived first: call again.</summary>
    public const int EINTR = 4;

    /// <summary>Bad descriptor.</summary>
    public const int EBADF = 9;

    /// <summary>Would block (EWOULDBLOCK is the same number).</summary>
    public const int EAGAIN = 11;

    /// <summary>Out of memory.</summary>
    public const int ENOMEM = 12;

    /// <summary>Permission denied.</summary>
    public const int EACCES = 13;

    /// <summary>Already exists.</summary>
    public const int EEXIST = 17;

    /// <summary>Invalid argument.</summary>
    public const int EINVAL = 22;

    /// <summary>System-wide descriptor table full.</summary>
    public const int ENFILE = 23;

    /// <summary>Process descriptor limit reached.</summary>
    public const int EMFILE = 24;

    /// <summary>No space.</summary>
    public const int ENOSPC = 28;

    /// <summary>Write side closed by the peer.</summary>
    public const int EPIPE = 32;

    /// <summary>Message longer than the socket takes.</summary>
    public const int EMSGSIZE = 90;

    /// <summary>Option unknown to the protocol or its level.</summary>
    public const int ENOPROTOOPT = 92;

    /// <summary>Not supported.</summary>
    public const int EOPNOTSUPP = 95;

    /// <summary>Address family not supported: IPv6 is off.</summary>
    public const int EAFNOSUPPORT = 97;

    /// <summary>Address in use.</summary>
    public const int EADDRINUSE = 98;

    /// <summary>Address or local port not available.</summary>
    public const int EADDRNOTAVAIL = 99;

    /// <summary>Network unreachable.</summary>
    public const int ENETUNREACH = 101;

    /// <summary>Connection aborted before it was accepted.</summary>
    public const int ECONNABORTED = 103;

    /// <summary>Reset by peer.</summary>
    public const int ECONNRESET = 104;

    /// <summary>No buffer space.</summary>
    public const int ENOBUFS = 105;

    /// <summary>Not connected.</summary>
    public const int ENOTCONN = 107;

    /// <summary>Timed out.</summary>
    public const int ETIMEDOUT = 110;

    /// <summary>Refused.</summary>
    public const int ECONNREFUSED = 111;

    /// <summary>No route to host.</summary>
    public const int EHOSTUNREACH = 113;

    /// <summary>Connect goes on in the background.</summary>
    public const int EINPROGRESS = 115;

    /// <summary>The errno of this thread's last failed call in this folder.</summary>
    public static int Last => Marshal.GetLastPInvokeError();

    /// <summary>What went wrong in words, with the number: "Connection refused (errno 111)".</summary>
    public static string Message(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";
}

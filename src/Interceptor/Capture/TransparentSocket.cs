using System.Net.Sockets;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Capture;

/// <summary>IP_TRANSPARENT: lets a socket accept connections to, and send from, addresses this machine does not have (TPROXY).</summary>
public static class TransparentSocket
{
    /// <summary>Makes <paramref name="fd"/> transparent before it is bound. Needs CAP_NET_ADMIN or CAP_NET_RAW.</summary>
    /// <param name="fd">A socket that is not bound yet.</param>
    /// <param name="family">The socket's own family. The option is set for that family only: with IPv6 off in the kernel the other
    /// level does not exist, and a dual-stack IPv6 socket takes IPv4 with its own option alone.</param>
    /// <exception cref="InvalidOperationException">The kernel refused; the message carries its reason.</exception>
    public static void Enable(int fd, AddressFamily family)
    {
        if (!TryEnable(fd, family))
        {
            int errno = Errno.Last;
            string option = family == AddressFamily.InterNetworkV6 ? "IPV6_TRANSPARENT" : "IP_TRANSPARENT";
            string hint = errno == Errno.EPERM ? "; the process needs CAP_NET_ADMIN or CAP_NET_RAW" : "";
            throw new InvalidOperationException($"cannot set {option}: {Errno.Message(errno)}{hint}");
        }
    }

    /// <summary>The same; false when the kernel refused, with errno as the thread's last P/Invoke error.</summary>
    public static bool TryEnable(int fd, AddressFamily family) => family == AddressFamily.InterNetworkV6
        ? SocketOptions.TrySetInt(fd, SocketOptions.SolIpv6, SocketOptions.Ipv6Transparent, 1)
        : SocketOptions.TrySetInt(fd, SocketOptions.SolIp, SocketOptions.IpTransparent, 1);
}

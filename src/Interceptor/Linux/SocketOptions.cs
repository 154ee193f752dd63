using System.Runtime.InteropServices;

namespace MeshL4.Interceptor.Linux;

/// <summary>getsockopt(2) and setsockopt(2), and the option numbers this project uses. Every call returns 0, or -1 with errno in
/// <see cref="Marshal.GetLastPInvokeError"/> (names in <see cref="Errno"/>).</summary>
internal static partial class SocketOptions
{
    /// <summary>SOL_IP: options of IPv4 sockets, and of v4-mapped connections on IPv6 sockets.</summary>
    public const int SolIp = 0;

    /// <summary>SOL_SOCKET.</summary>
    public const int SolSocket = 1;

    /// <summary>SOL_TCP.</summary>
    public const int SolTcp = 6;

    /// <summary>SOL_IPV6.</summary>
    public const int SolIpv6 = 41;

    /// <summary>SO_ERROR at <see cref="SolSocket"/>: the errno of what went wrong since, told once.</summary>
    public const int SoError = 4;

    /// <summary>SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST share the number; the level selects the address family.</summary>
    public const int SoOriginalDst = 80;

    /// <summary>IP_TRANSPARENT at <see cref="SolIp"/>.</summary>
    public const int IpTransparent = 19;

    /// <summary>IPV6_TRANSPARENT at <see cref="SolIpv6"/>.</summary>
    public const int Ipv6Transparent = 75;

    /// <summary>IP_RECVORIGDSTADDR at <see cref="SolIp"/>: each datagram carries its original destination as a control message.</summary>
    public const int IpRecvOrigDstAddr = 20;

    /// <summary>IPV6_RECVORIGDSTADDR at <see cref="SolIpv6"/>.</summary>
    public const int Ipv6RecvOrigDstAddr = 74;

    /// <summary>IP_PKTINFO at <see cref="SolIp"/>: the local address of each datagram as a control message, and the source of one sent.</summary>
    public const int IpPacketInfo = 8;

    /// <summary>IPV6_RECVPKTINFO at <see cref="SolIpv6"/>: the same, to be switched on.</summary>
    public const int Ipv6ReceivePacketInfo = 49;

    /// <summary>IPV6_PKTINFO at <see cref="SolIpv6"/>: the control message itself.</summary>
    public const int Ipv6PacketInfo = 50;

    /// <summary>Reads an option into <paramref name="value"/>; <paramref name="length"/> is its size in bytes on entry and the bytes
    /// written on return.</summary>
    [LibraryImport("libc", EntryPoint = "getsockopt", SetLastError = true)]
    public static unsafe partial int GetSockOpt(int fd, int level, int name, void* value, uint* length);

    /// <summary>Sets an option from <paramref name="length"/> bytes at <paramref name="value"/>.</summary>
    [LibraryImport("libc", EntryPoint = "setsockopt", SetLastError = true)]
    public static unsafe partial int SetSockOpt(int fd, int level, int name, void* value, uint length);

    /// <summary>Sets an option whose value is a C int. False when the kernel refused; errno is in
    /// <see cref="Marshal.GetLastPInvokeError"/>.</summary>
    public static unsafe bool TrySetInt(int fd, int level, int name, int value) =>
        SetSockOpt(fd, level, name, &value, sizeof(int)) == 0;

    /// <summary>Reads an option whose value is a C int. False when the kernel refused.</summary>
    public static unsafe bool TryGetInt(int fd, int level, int name, out int value)
    {
        int read = 0;
        uint length = sizeof(int);
        bool ok = GetSockOpt(fd, level, name, &read, &length) == 0;
        value = read;
        return ok;
    }
}

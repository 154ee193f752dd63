using System.Net;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>Socket options by what they are for. Failures of advisory options are ignored: the connection works without.</summary>
internal static unsafe class SocketTuning
{
    private const int SoReuseAddress = 2;
    private const int SoKeepAlive = 9;
    private const int SoLinger = 13;
    private const int SoReusePort = 15;
    private const int SoMark = 36;
    private const int TcpNoDelay = 1;
    private const int TcpKeepIdle = 4;
    private const int TcpKeepInterval = 5;
    private const int TcpKeepCount = 6;
    private const int IpFreebind = 15;
    private const int IpBindAddressNoPort = 24;
    private const int Ipv6Only = 26;

    public static void NoDelay(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolTcp, TcpNoDelay, 1);

    public static bool ReuseAddress(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolSocket, SoReuseAddress, 1);

    public static bool ReusePort(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolSocket, SoReusePort, 1);

    public static bool Freebind(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolIp, IpFreebind, 1);

    /// <summary>Marks the packets of a socket for routing rules. Needs CAP_NET_ADMIN.</summary>
    public static bool Mark(int fd, uint mark) => SocketOptions.TrySetInt(fd, SocketOptions.SolSocket, SoMark, unchecked((int)mark));

    public static bool BothFamilies(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolIpv6, Ipv6Only, 0);

    public static bool OnlyIpv6(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolIpv6, Ipv6Only, 1);

    /// <summary>Lets a bind to an address leave the choice of the port to connect(2), so that ports are not used up per address.</summary>
    public static void BindAddressOnly(int fd) => SocketOptions.TrySetInt(fd, SocketOptions.SolIp, IpBindAddressNoPort, 1);

    public static void Keepalive(int fd, int? probes, int? idleSeconds, int? intervalSeconds)
    {
        SocketOptions.TrySetInt(fd, SocketOptions.SolSocket, SoKeepAlive, 1);
        SetIfGiven(fd, TcpKeepCount, probes);
        SetIfGiven(fd, TcpKeepIdle, idleSeconds);
        SetIfGiven(fd, TcpKeepInterval, intervalSeconds);
    }

    /// <summary>Linger of zero: close(2) sends a reset.</summary>
    public static void ResetOnClose(int fd)
    {
        int* linger = stackalloc int[2];
        linger[0] = 1;
        linger[1] = 0;
        SocketOptions.SetSockOpt(fd, SocketOptions.SolSocket, SoLinger, linger, 2 * sizeof(int));
    }

    /// <summary>The pending error of a socket, an errno; reading it clears it.</summary>
    public static int TakeError(int fd) => SocketOptions.TryGetInt(fd, SocketOptions.SolSocket, SocketOptions.SoError, out int error) ? error : Errno.EBADF;

    public static IPEndPoint? LocalEndPoint(int fd)
    {
        byte* bytes = stackalloc byte[SocketAddressBytes.Capacity];
        int length = SocketAddressBytes.Capacity;
        return SocketCalls.GetSockName(fd, bytes, &length) < 0
            ? null
            : SocketAddressBytes.ReadIp(new ReadOnlySpan<byte>(bytes, length));
    }

    private static void SetIfGiven(int fd, int name, int? value)
    {
        if (value is int given)
        {
            SocketOptions.TrySetInt(fd, SocketOptions.SolTcp, name, given);
        }
    }
}

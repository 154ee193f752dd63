using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Capture;

/// <summary>Where a redirected TCP connection was going before the REDIRECT rule rewrote its destination.</summary>
/// <remarks>The kernel looks the answer up in its connection table, so ask once, right after accept: an expired or flushed entry is
/// gone for good. A connection that came straight to the proxy's port answers with that port's own address.</remarks>
public static class OriginalDestination
{
    private const int SockAddrIn = 16;
    private const int SockAddrIn6 = 28;

    /// <summary>Asks the kernel for the original destination of the accepted connection <paramref name="fd"/>.</summary>
    /// <param name="fd">The accepted socket.</param>
    /// <param name="peerFamily">Family of the peer's address with v4-mapped addresses counted as IPv4: a dual-stack socket keeps the
    /// entries of its v4-mapped connections under the IPv4 level, and asking the other level finds nothing.</param>
    /// <param name="destination">Address and port before the rewrite.</param>
    /// <returns>False when the kernel knows no entry: the connection was not redirected, or its entry is gone.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="peerFamily"/> is neither IPv4 nor IPv6.</exception>
    public static bool TryGet(int fd, AddressFamily peerFamily, out IPEndPoint destination) => peerFamily switch
    {
        AddressFamily.InterNetwork => TryRead(fd, SocketOptions.SolIp, SockAddrIn, out destination),
        AddressFamily.InterNetworkV6 => TryRead(fd, SocketOptions.SolIpv6, SockAddrIn6, out destination),
        _ => throw new ArgumentOutOfRangeException(nameof(peerFamily), peerFamily, "only IPv4 and IPv6 connections can be redirected"),
    };

    /// <summary>The same, choosing the level by the peer's address (v4-mapped counts as IPv4).</summary>
    public static bool TryGet(int fd, IPAddress peer, out IPEndPoint destination) =>
        TryGet(fd, peer.IsIPv4MappedToIPv6 ? AddressFamily.InterNetwork : peer.AddressFamily, out destination);

    private static unsafe bool TryRead(int fd, int level, int size, out IPEndPoint destination)
    {
        byte* raw = stackalloc byte[SockAddrIn6];
        uint length = (uint)size;
        if (SocketOptions.GetSockOpt(fd, level, SocketOptions.SoOriginalDst, raw, &length) != 0 || length < size)
        {
            destination = null!;
            return false;
        }

        destination = Parse(new ReadOnlySpan<byte>(raw, size));
        return true;
    }

    /// <summary>Reads a sockaddr_in (16 bytes) or sockaddr_in6 (28 bytes): port big-endian at 2; address at 4, or at 8 for IPv6
    /// (ip(7), ipv6(7)).</summary>
    internal static IPEndPoint Parse(ReadOnlySpan<byte> address)
    {
        int port = BinaryPrimitives.ReadUInt16BigEndian(address[2..]);
        if (address.Length == SockAddrIn)
        {
            return new IPEndPoint(new IPAddress(address.Slice(4, 4)), port);
        }

        uint scope = BitConverter.ToUInt32(address.Slice(24, 4));
        return new IPEndPoint(new IPAddress(address.Slice(8, 16), scope), port);
    }
}

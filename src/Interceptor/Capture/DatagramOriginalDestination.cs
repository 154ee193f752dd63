using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Capture;

/// <summary>Where a datagram that TPROXY delivered was going. There is no connection to ask about: every datagram says it itself, in a
/// control message with the address and the port (IP_RECVORIGDSTADDR in ip(7), IPV6_RECVORIGDSTADDR).</summary>
public static class DatagramOriginalDestination
{
    /// <summary>Asks for the control message on <paramref name="fd"/>.</summary>
    /// <param name="fd">A datagram socket.</param>
    /// <param name="family">The socket's family. An IPv6 socket is asked for both: the IPv4 datagrams of a dual-stack socket carry
    /// the IPv4 message.</param>
    /// <exception cref="InvalidOperationException">The kernel refused.</exception>
    public static void Enable(int fd, AddressFamily family)
    {
        bool v6 = family == AddressFamily.InterNetworkV6;
        bool set = SocketOptions.TrySetInt(fd, SocketOptions.SolIp, SocketOptions.IpRecvOrigDstAddr, 1)
            && (!v6 || SocketOptions.TrySetInt(fd, SocketOptions.SolIpv6, SocketOptions.Ipv6RecvOrigDstAddr, 1));
        if (!set)
        {
            throw new InvalidOperationException($"cannot ask for original destinations: {Errno.Message(Errno.Last)}");
        }
    }

    /// <summary>Reads the destination from the control messages of one datagram. Null when they do not have it.</summary>
    public static IPEndPoint? Read(ReadOnlySpan<byte> control)
    {
        bool found = ControlMessages.TryFind(control, SocketOptions.SolIp, SocketOptions.IpRecvOrigDstAddr, out ReadOnlySpan<byte> address)
            || ControlMessages.TryFind(control, SocketOptions.SolIpv6, SocketOptions.Ipv6RecvOrigDstAddr, out address);
        return found && address.Length >= sizeof(ushort) ? SocketAddressBytes.ReadIp(address) : null;
    }
}

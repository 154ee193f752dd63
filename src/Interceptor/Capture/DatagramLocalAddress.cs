using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshL4.Interceptor.Linux;

namespace MeshL4.Interceptor.Capture;

/// <summary>Which of this machine's addresses a client sent its datagram to, and an answer from that same address: a socket bound to all
/// addresses would let the routes choose the source, and the client would not know the answer (IP_PKTINFO in ip(7), IPV6_PKTINFO in
/// ipv6(7)).</summary>
public static class DatagramLocalAddress
{
    /// <summary>in_pktinfo: interface, local address, address in the header; four bytes each.</summary>
    private const int InfoSize = 12;

    /// <summary>in6_pktinfo: address and interface.</summary>
    private const int Info6Size = 20;

    /// <summary>Asks for the control message on <paramref name="fd"/>.</summary>
    /// <param name="fd">A datagram socket.</param>
    /// <param name="family">The socket's family; a dual-stack IPv6 socket tells of IPv4 datagrams too.</param>
    /// <exception cref="InvalidOperationException">The kernel refused.</exception>
    public static void Enable(int fd, AddressFamily family)
    {
        bool set = family == AddressFamily.InterNetworkV6
            ? SocketOptions.TrySetInt(fd, SocketOptions.SolIpv6, SocketOptions.Ipv6ReceivePacketInfo, 1)
            : SocketOptions.TrySetInt(fd, SocketOptions.SolIp, SocketOptions.IpPacketInfo, 1);
        if (!set)
        {
            throw new InvalidOperationException($"cannot ask for local addresses: {Errno.Message(Errno.Last)}");
        }
    }

    /// <summary>Reads the address from the control messages of one datagram; v4-mapped becomes IPv4. Null when they do not have one that
    /// can answer (an IPv6 multicast group cannot; for an IPv4 one the kernel names the address of the interface).</summary>
    public static IPAddress? Read(ReadOnlySpan<byte> control)
    {
        if (ControlMessages.TryFind(control, SocketOptions.SolIp, SocketOptions.IpPacketInfo, out ReadOnlySpan<byte> info) && info.Length >= InfoSize)
        {
            return new IPAddress(info.Slice(4, 4));
        }

        if (!ControlMessages.TryFind(control, SocketOptions.SolIpv6, SocketOptions.Ipv6PacketInfo, out info) || info.Length < Info6Size)
        {
            return null;
        }

        var address = new IPAddress(info[..16]);
        if (address.IsIPv4MappedToIPv6)
        {
            return address.MapToIPv4();
        }

        if (address.IsIPv6LinkLocal)
        {
            address.ScopeId = MemoryMarshal.Read<uint>(info[16..]);
        }

        return address.IsIPv6Multicast ? null : address;
    }

    /// <summary>Writes the control message that makes <paramref name="source"/> the source address of a datagram.</summary>
    /// <returns>Its length in bytes.</returns>
    public static int Write(IPAddress source, Span<byte> control)
    {
        Span<byte> info = stackalloc byte[Info6Size];
        info.Clear();
        if (source.AddressFamily == AddressFamily.InterNetwork)
        {
            source.TryWriteBytes(info[4..], out _);
            return ControlMessages.Write(control, SocketOptions.SolIp, SocketOptions.IpPacketInfo, info[..InfoSize]);
        }

        source.TryWriteBytes(info, out _);
        MemoryMarshal.Write(info[16..], (uint)source.ScopeId);
        return ControlMessages.Write(control, SocketOptions.SolIpv6, SocketOptions.Ipv6PacketInfo, info);
    }
}

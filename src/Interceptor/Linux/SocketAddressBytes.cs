using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace MeshL4.Interceptor.Linux;

/// <summary>struct sockaddr_in, sockaddr_in6 and sockaddr_un to and from .NET end points (netinet/in.h, sys/un.h).</summary>
internal static class SocketAddressBytes
{
    /// <summary>Large enough for every family written here: sockaddr_un is 110 bytes.</summary>
    public const int Capacity = 128;

    /// <summary>Writes <paramref name="endPoint"/> and returns the length the kernel wants.</summary>
    /// <exception cref="NotSupportedException">Neither an IP nor a Unix end point.</exception>
    public static int Write(EndPoint endPoint, Span<byte> into) => endPoint switch
    {
        IPEndPoint ip => WriteIp(ip, into),
        UnixDomainSocketEndPoint unix => WriteUnix(unix, into),
        _ => throw new NotSupportedException($"address family {endPoint.AddressFamily}"),
    };

    /// <summary>Address family constant of socket(2) for an end point.</summary>
    public static int Family(EndPoint endPoint) => endPoint.AddressFamily switch
    {
        AddressFamily.InterNetwork => SocketCalls.FamilyInet,
        AddressFamily.InterNetworkV6 => SocketCalls.FamilyInet6,
        _ => SocketCalls.FamilyUnix,
    };

    /// <summary>Reads an IP end point; v4-mapped IPv6 becomes IPv4. Null for other families.</summary>
    public static IPEndPoint? ReadIp(ReadOnlySpan<byte> from)
    {
        int family = MemoryMarshal.Read<ushort>(from);
        if (family == SocketCalls.FamilyInet && from.Length >= 8)
        {
            return new IPEndPoint(new IPAddress(from.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(from[2..]));
        }

        if (family != SocketCalls.FamilyInet6 || from.Length < 28)
        {
            return null;
        }

        IPAddress address = new(from.Slice(8, 16), MemoryMarshal.Read<uint>(from[24..]));
        int port = BinaryPrimitives.ReadUInt16BigEndian(from[2..]);
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, port);
    }

    private static int WriteIp(IPEndPoint endPoint, Span<byte> into)
    {
        bool v6 = endPoint.AddressFamily == AddressFamily.InterNetworkV6;
        int length = v6 ? 28 : 16;
        into[..length].Clear();
        ushort family = (ushort)(v6 ? SocketCalls.FamilyInet6 : SocketCalls.FamilyInet);
        MemoryMarshal.Write(into, family);
        BinaryPrimitives.WriteUInt16BigEndian(into[2..], (ushort)endPoint.Port);
        endPoint.Address.TryWriteBytes(into[(v6 ? 8 : 4)..], out _);
        if (v6)
        {
            MemoryMarshal.Write(into[24..], (uint)endPoint.Address.ScopeId);
        }

        return length;
    }

    private static int WriteUnix(UnixDomainSocketEndPoint endPoint, Span<byte> into)
    {
        const int maxPath = 107;
        string path = endPoint.ToString();
        bool isAbstract = path.StartsWith('@');
        into[..Capacity].Clear();
        MemoryMarshal.Write(into, (ushort)SocketCalls.FamilyUnix);
        int length = Encoding.UTF8.GetBytes(path, into.Slice(2, maxPath));
        if (isAbstract)
        {
            into[2] = 0;
        }

        // An abstract name is counted exactly; a path includes its terminating zero.
        return 2 + length + (isAbstract ? 0 : 1);
    }
}

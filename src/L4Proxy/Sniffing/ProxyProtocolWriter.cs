using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// Writes the PROXY header that tells the L7 engine the true client and the original destination. Address families
/// that differ are both written as IPv6 (an IPv4 address as ::ffff:a.b.c.d); without both addresses the header is
/// v2 LOCAL or v1 UNKNOWN.
/// </summary>
internal static class ProxyProtocolWriter
{
    private const byte AlpnTlv = 0x01;
    private const byte AuthorityTlv = 0x02;

    /// <summary>The first of the types left to applications (PP2_TYPE_MIN_CUSTOM): the name of the listener's route configuration.</summary>
    private const byte RoutesTlv = 0xe0;
    private const int MaxTlvValue = 255;
    private const int MaxV2 = ProxyProtocolV2.Prefix + ProxyProtocolV2.V6Block + (3 * (3 + MaxTlvValue));

    /// <summary>Appends a header in one write.</summary>
    /// <param name="output">Gets the bytes; advanced, not flushed.</param>
    /// <param name="version"><see cref="ProxyProtocolVersion.None"/> writes nothing.</param>
    /// <param name="source">The true client.</param>
    /// <param name="destination">The original destination.</param>
    /// <param name="serverName">SNI for PP2_TYPE_AUTHORITY; v2 only; left out when null, empty or over 255 bytes.</param>
    /// <param name="applicationProtocol">One name for PP2_TYPE_ALPN (Latin-1); v2 only; left out by the same rule.</param>
    /// <param name="routes">Name of the route configuration (<c>rds</c>), for a TLV of type 0xe0; v2 only; left out by the same rule.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(
        IBufferWriter<byte> output,
        ProxyProtocolVersion version,
        IPEndPoint? source,
        IPEndPoint? destination,
        string? serverName = null,
        string? applicationProtocol = null,
        string? routes = null)
    {
        int written = version switch
        {
            ProxyProtocolVersion.V1 => WriteV1(output.GetSpan(ProxyProtocolV1.MaxLine), source, destination),
            ProxyProtocolVersion.V2 => WriteV2(output.GetSpan(MaxV2), source, destination, serverName, applicationProtocol, routes),
            _ => 0,
        };
        output.Advance(written);
        return written;
    }

    private static int WriteV1(Span<byte> line, IPEndPoint? source, IPEndPoint? destination)
    {
        if (source is null || destination is null)
        {
            "PROXY UNKNOWN\r\n"u8.CopyTo(line);
            return "PROXY UNKNOWN\r\n"u8.Length;
        }

        bool v4 = IsV4(source.Address) && IsV4(destination.Address);
        ReadOnlySpan<byte> start = v4 ? "PROXY TCP4 "u8 : "PROXY TCP6 "u8;
        start.CopyTo(line);
        int at = start.Length;
        at += WriteText(line[at..], source.Address, v4);
        at += WriteText(line[at..], destination.Address, v4);
        at += WritePort(line[at..], source.Port, (byte)' ');
        at += WritePort(line[at..], destination.Port, (byte)'\r');
        line[at++] = (byte)'\n';
        return at;
    }

    private static int WriteText(Span<byte> to, IPAddress address, bool v4)
    {
        // Rebuilt from the bytes: a scope id has no place in a header.
        Span<byte> bytes = stackalloc byte[16];
        int size = WriteAddress(bytes, address, v4);
        new IPAddress(bytes[..size]).TryFormat(to, out int written);
        to[written] = (byte)' ';
        return written + 1;
    }

    private static int WritePort(Span<byte> to, int port, byte after)
    {
        port.TryFormat(to, out int written);
        to[written] = after;
        return written + 1;
    }

    private static int WriteV2(
        Span<byte> header, IPEndPoint? source, IPEndPoint? destination, string? serverName, string? applicationProtocol, string? routes)
    {
        ProxyProtocolHeader.V2Signature.CopyTo(header);
        bool known = source is not null && destination is not null;
        bool v4 = known && IsV4(source!.Address) && IsV4(destination!.Address);
        header[12] = known ? ProxyProtocolV2.Proxy : ProxyProtocolV2.Local;
        header[13] = known ? v4 ? ProxyProtocolV2.TcpV4 : ProxyProtocolV2.TcpV6 : (byte)0;
        int at = ProxyProtocolV2.Prefix;
        if (known)
        {
            at += WriteAddress(header[at..], source!.Address, v4);
            at += WriteAddress(header[at..], destination!.Address, v4);
            BinaryPrimitives.WriteUInt16BigEndian(header[at..], (ushort)source.Port);
            BinaryPrimitives.WriteUInt16BigEndian(header[(at + 2)..], (ushort)destination.Port);
            at += 4;
            at += WriteTlv(header[at..], AlpnTlv, applicationProtocol);
            at += WriteTlv(header[at..], AuthorityTlv, serverName);
            at += WriteTlv(header[at..], RoutesTlv, routes);
        }

        BinaryPrimitives.WriteUInt16BigEndian(header[14..], (ushort)(at - ProxyProtocolV2.Prefix));
        return at;
    }

    private static int WriteAddress(Span<byte> to, IPAddress address, bool v4)
    {
        Span<byte> raw = stackalloc byte[16];
        address.TryWriteBytes(raw, out int size);
        if (v4)
        {
            raw[(size - 4)..size].CopyTo(to);
            return 4;
        }

        if (size == 4)
        {
            to[..10].Clear();
            to[10] = to[11] = 0xff;
            raw[..4].CopyTo(to[12..]);
            return 16;
        }

        raw.CopyTo(to);
        return 16;
    }

    private static int WriteTlv(Span<byte> to, byte type, string? value)
    {
        if (value is null or "" || value.Length > MaxTlvValue)
        {
            return 0;
        }

        to[0] = type;
        BinaryPrimitives.WriteUInt16BigEndian(to[1..], (ushort)value.Length);
        return 3 + Encoding.Latin1.GetBytes(value, to[3..]);
    }

    private static bool IsV4(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetwork || address.IsIPv4MappedToIPv6;
}

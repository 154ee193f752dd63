using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;

namespace MeshL4.Interceptor.Verify;

/// <summary>The little of an Ethernet frame that verification reads and writes: IPv4 or IPv6 without extension headers, TCP or UDP
/// (RFC 791, 8200, 9293, 768).</summary>
internal sealed record Frame(Transports Transport, IPEndPoint Source, IPEndPoint Destination, byte Flags = 0, uint Sequence = 0, uint Acknowledged = 0)
{
    /// <summary>TCP flag: opens a connection.</summary>
    public const byte Syn = 0x02;

    /// <summary>TCP flag: ends it at once.</summary>
    public const byte Reset = 0x04;

    /// <summary>TCP flag: the acknowledged number means something.</summary>
    public const byte Ack = 0x10;

    private const int Ethernet = 14;
    private const int V4Header = 20;
    private const int V6Header = 40;
    private const int TcpHeader = 20;
    private const int UdpHeader = 8;
    private const byte ProtocolTcp = 6;
    private const byte ProtocolUdp = 17;

    /// <summary>Reads a frame; null when it is anything else.</summary>
    public static Frame? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Ethernet + V4Header)
        {
            return null;
        }

        ReadOnlySpan<byte> ip = bytes[Ethernet..];
        return BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) switch
        {
            0x0800 => Transported(ip[9], new IPAddress(ip.Slice(12, 4)), new IPAddress(ip.Slice(16, 4)), ip, (ip[0] & 0xf) * 4),
            0x86dd when ip.Length >= V6Header =>
                Transported(ip[6], new IPAddress(ip.Slice(8, 16)), new IPAddress(ip.Slice(24, 16)), ip, V6Header),
            _ => null,
        };
    }

    /// <summary>The segment, or a datagram of two bytes, as a frame with correct checksums.</summary>
    public byte[] ToBytes(ReadOnlySpan<byte> fromHardware, ReadOnlySpan<byte> toHardware)
    {
        bool v6 = Source.AddressFamily == AddressFamily.InterNetworkV6;
        int header = v6 ? V6Header : V4Header;
        byte[] bytes = new byte[Ethernet + header + Payload];
        toHardware.CopyTo(bytes);
        fromHardware.CopyTo(bytes.AsSpan(6));
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(12), (ushort)(v6 ? 0x86dd : 0x0800));
        Span<byte> ip = bytes.AsSpan(Ethernet, header);
        if (v6)
        {
            WriteV6(ip);
        }
        else
        {
            WriteV4(ip);
        }

        Span<byte> payload = bytes.AsSpan(Ethernet + header);
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)Source.Port);
        BinaryPrimitives.WriteUInt16BigEndian(payload[2..], (ushort)Destination.Port);
        int checksum = Transport == Transports.Udp ? WriteUdp(payload) : WriteTcp(payload);
        uint pseudo = Sum(Source.Address.GetAddressBytes()) + Sum(Destination.Address.GetAddressBytes()) + Protocol + (uint)Payload;
        BinaryPrimitives.WriteUInt16BigEndian(payload[checksum..], Checksum(pseudo, payload));
        return bytes;
    }

    private static Frame? Transported(byte protocol, IPAddress source, IPAddress destination, ReadOnlySpan<byte> ip, int header)
    {
        if (header < V4Header || ip.Length < header + UdpHeader || protocol is not (ProtocolTcp or ProtocolUdp))
        {
            return null;
        }

        ReadOnlySpan<byte> segment = ip[header..];
        var from = new IPEndPoint(source, BinaryPrimitives.ReadUInt16BigEndian(segment));
        var to = new IPEndPoint(destination, BinaryPrimitives.ReadUInt16BigEndian(segment[2..]));
        if (protocol == ProtocolUdp)
        {
            return new Frame(Transports.Udp, from, to);
        }

        return segment.Length < TcpHeader ? null : new Frame(Transports.Tcp, from, to, segment[13],
            BinaryPrimitives.ReadUInt32BigEndian(segment[4..]), BinaryPrimitives.ReadUInt32BigEndian(segment[8..]));
    }

    private static ushort Checksum(uint sum, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 2; bytes = bytes[2..])
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes);
        }

        while (sum >> 16 != 0)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }

    private static uint Sum(ReadOnlySpan<byte> bytes) => (ushort)~Checksum(0, bytes);

    // An even number of bytes keeps the checksum simple.
    private int Payload => Transport == Transports.Udp ? UdpHeader + 2 : TcpHeader;

    private byte Protocol => Transport == Transports.Udp ? ProtocolUdp : ProtocolTcp;

    private void WriteV4(Span<byte> ip)
    {
        ip[0] = 0x45;
        BinaryPrimitives.WriteUInt16BigEndian(ip[2..], (ushort)(V4Header + Payload));
        ip[8] = 64;
        ip[9] = Protocol;
        Source.Address.TryWriteBytes(ip[12..], out _);
        Destination.Address.TryWriteBytes(ip[16..], out _);
        BinaryPrimitives.WriteUInt16BigEndian(ip[10..], Checksum(0, ip));
    }

    private void WriteV6(Span<byte> ip)
    {
        ip[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(ip[4..], (ushort)Payload);
        ip[6] = Protocol;
        ip[7] = 64;
        Source.Address.TryWriteBytes(ip[8..], out _);
        Destination.Address.TryWriteBytes(ip[24..], out _);
    }

    // Both return where the checksum belongs.
    private int WriteUdp(Span<byte> udp)
    {
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)Payload);
        return 6;
    }

    private int WriteTcp(Span<byte> tcp)
    {
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], Acknowledged);
        tcp[12] = TcpHeader / 4 << 4;
        tcp[13] = Flags;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], 0xffff);
        return 16;
    }
}

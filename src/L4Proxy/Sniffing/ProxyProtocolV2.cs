using System.Buffers.Binary;
using System.Net;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// The binary form: 12 bytes of signature, version and command, family and transport, length (big endian), then an
/// address block and TLVs in <c>length</c> bytes (specification, section 2.2).
/// </summary>
internal static class ProxyProtocolV2
{
    /// <summary>Bytes before the address block.</summary>
    public const int Prefix = 16;

    /// <summary>Version 2, command LOCAL: the sender's own connection, addresses to be ignored.</summary>
    public const byte Local = 0x20;

    /// <summary>Version 2, command PROXY.</summary>
    public const byte Proxy = 0x21;

    /// <summary>AF_INET, STREAM.</summary>
    public const byte TcpV4 = 0x11;

    /// <summary>AF_INET6, STREAM.</summary>
    public const byte TcpV6 = 0x21;

    private const byte UnixStream = 0x31;
    private const byte Unspecified = 0x00;
    private const int UnixBlock = 216;
    private const int TlvHeader = 3;

    /// <summary>Address block of TCP over IPv4: two addresses, two ports.</summary>
    public const int V4Block = 12;

    /// <summary>Address block of TCP over IPv6.</summary>
    public const int V6Block = 36;

    /// <summary>Parses bytes that begin with the signature.</summary>
    public static ProxySniff Parse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 12 && bytes[12] is not (Local or Proxy))
        {
            return ProxySniff.Invalid("proxy_v2_version_or_command");
        }

        if (bytes.Length < Prefix)
        {
            return ProxySniff.NeedMore;
        }

        int length = Prefix + BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        if (length > ProxyProtocolHeader.MaxHeader)
        {
            return ProxySniff.Invalid("proxy_v2_too_long");
        }

        return bytes.Length < length
            ? ProxySniff.NeedMore
            : ParseBlock(bytes[12], bytes[13], bytes[Prefix..length], length);
    }

    private static ProxySniff ParseBlock(byte command, byte family, ReadOnlySpan<byte> block, int length)
    {
        if (command == Local)
        {
            // Health checks send this with any family and often with no block at all; all of it is to be dropped.
            return ProxySniff.Of(new ProxyHeader(2, null, null, length));
        }

        int addresses = family switch
        {
            Unspecified => block.Length,
            TcpV4 => V4Block,
            TcpV6 => V6Block,
            UnixStream => UnixBlock,
            _ => -1,
        };
        if (addresses < 0)
        {
            return ProxySniff.Invalid("proxy_v2_family");
        }

        if (addresses > block.Length)
        {
            return ProxySniff.Invalid("proxy_v2_address_block_truncated");
        }

        return TlvsAreWhole(block[addresses..])
            ? ProxySniff.Of(Header(family, block, length))
            : ProxySniff.Invalid("proxy_v2_tlv_truncated");
    }

    private static ProxyHeader Header(byte family, ReadOnlySpan<byte> block, int length)
    {
        int size = family switch { TcpV4 => 4, TcpV6 => 16, _ => 0 };
        if (size == 0)
        {
            return new ProxyHeader(2, null, null, length);
        }

        int sourcePort = BinaryPrimitives.ReadUInt16BigEndian(block[(2 * size)..]);
        int destinationPort = BinaryPrimitives.ReadUInt16BigEndian(block[((2 * size) + 2)..]);
        return new ProxyHeader(
            2,
            new IPEndPoint(new IPAddress(block[..size]), sourcePort),
            new IPEndPoint(new IPAddress(block[size..(2 * size)]), destinationPort),
            length);
    }

    private static bool TlvsAreWhole(ReadOnlySpan<byte> tlvs)
    {
        while (tlvs.Length >= TlvHeader)
        {
            int end = TlvHeader + BinaryPrimitives.ReadUInt16BigEndian(tlvs[1..]);
            if (end > tlvs.Length)
            {
                return false;
            }

            tlvs = tlvs[end..];
        }

        return tlvs.IsEmpty;
    }
}

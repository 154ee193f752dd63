using System.Buffers;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>
/// Reads a PROXY protocol header of either version off the front (HAProxy's proxy-protocol.txt, sections 2.1, 2.2).
/// At most <see cref="MaxHeader"/> bytes are ever looked at, so that reading anew on each arrival stays cheap.
/// </summary>
internal static class ProxyProtocolHeader
{
    /// <summary>Longest v2 header taken, address block and TLVs included. The format allows 65,551; real ones stay under 1 KiB.</summary>
    public const int MaxHeader = 4096;

    /// <summary>First bytes of a v1 line.</summary>
    public static ReadOnlySpan<byte> V1Signature => "PROXY "u8;

    /// <summary>First bytes of a v2 header.</summary>
    public static ReadOnlySpan<byte> V2Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    /// <summary>Looks at all bytes so far.</summary>
    /// <param name="bytes">From the connection's first byte.</param>
    /// <param name="allowV1">False: a v1 header is invalid.</param>
    /// <param name="allowV2">False: a v2 header is invalid.</param>
    public static ProxySniff Read(in ReadOnlySequence<byte> bytes, bool allowV1, bool allowV2)
    {
        if (bytes.IsEmpty)
        {
            return ProxySniff.NeedMore;
        }

        ReadOnlySpan<byte> first = bytes.FirstSpan;
        if (first.Length == bytes.Length || first.Length >= MaxHeader)
        {
            return ReadSpan(first, allowV1, allowV2);
        }

        int length = (int)Math.Min(bytes.Length, MaxHeader);
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            bytes.Slice(0, length).CopyTo(rented);
            return ReadSpan(rented.AsSpan(0, length), allowV1, allowV2);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static ProxySniff ReadSpan(ReadOnlySpan<byte> bytes, bool allowV1, bool allowV2)
    {
        if (Begins(bytes, V1Signature, out bool whole))
        {
            return Gate(bytes, whole, allowV1, ProxyProtocolV1.Parse);
        }

        return Begins(bytes, V2Signature, out whole)
            ? Gate(bytes, whole, allowV2, ProxyProtocolV2.Parse)
            : ProxySniff.Absent;
    }

    private static ProxySniff Gate(ReadOnlySpan<byte> bytes, bool whole, bool allowed, Parser parse)
    {
        if (!whole)
        {
            return ProxySniff.NeedMore;
        }

        return allowed ? parse(bytes) : ProxySniff.Invalid("proxy_protocol_version_not_allowed");
    }

    private static bool Begins(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature, out bool whole)
    {
        whole = bytes.Length >= signature.Length;
        return whole ? bytes.StartsWith(signature) : signature.StartsWith(bytes);
    }

    private delegate ProxySniff Parser(ReadOnlySpan<byte> bytes);
}

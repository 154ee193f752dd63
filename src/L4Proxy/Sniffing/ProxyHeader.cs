using System.Net;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>What a PROXY header said.</summary>
/// <param name="Version">1 or 2.</param>
/// <param name="Source">The true client; null for v1 UNKNOWN, v2 LOCAL, v2 UNSPEC and Unix addresses: keep the socket's own.</param>
/// <param name="Destination">Where the client wanted to go; null exactly when <paramref name="Source"/> is.</param>
/// <param name="Length">Bytes of the header, TLVs included.</param>
internal sealed record ProxyHeader(int Version, IPEndPoint? Source, IPEndPoint? Destination, int Length);

/// <summary>How far the look for a PROXY header came.</summary>
internal enum ProxySniffStatus
{
    /// <summary>Fits a header so far.</summary>
    NeedMore,

    /// <summary>The bytes begin differently.</summary>
    Absent,

    /// <summary>A whole header.</summary>
    Header,

    /// <summary>Begins as a header and is malformed or too long.</summary>
    Invalid,
}

/// <summary>Outcome of <see cref="ProxyProtocolHeader.Read"/>.</summary>
internal readonly record struct ProxySniff(ProxySniffStatus Status, ProxyHeader? Header, string? Reason)
{
    public static readonly ProxySniff NeedMore = new(ProxySniffStatus.NeedMore, null, null);

    public static readonly ProxySniff Absent = new(ProxySniffStatus.Absent, null, null);

    public static ProxySniff Of(ProxyHeader header) => new(ProxySniffStatus.Header, header, null);

    public static ProxySniff Invalid(string reason) => new(ProxySniffStatus.Invalid, null, reason);
}

using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>How far the look for a ClientHello came.</summary>
internal enum TlsSniffStatus
{
    /// <summary>Everything so far fits a ClientHello; it is not complete.</summary>
    NeedMore,

    /// <summary>The first two bytes are not those of a TLS handshake record.</summary>
    NotTls,

    /// <summary>A whole, well-formed ClientHello.</summary>
    Tls,

    /// <summary>Begins as TLS and is malformed or over the budget. Must not be treated as plain bytes.</summary>
    Invalid,
}

/// <summary>Outcome of <see cref="TlsHelloScanner.Read"/>.</summary>
/// <param name="Status">Which outcome.</param>
/// <param name="ServerName">SNI ready for matching; null when the hello has none.</param>
/// <param name="ApplicationProtocols">ALPN in the client's order; empty when not offered.</param>
/// <param name="Reason">Set for <see cref="TlsSniffStatus.Invalid"/>.</param>
internal readonly record struct TlsSniff(
    TlsSniffStatus Status, string? ServerName, ImmutableArray<string> ApplicationProtocols, string? Reason)
{
    public static readonly TlsSniff NeedMore = new(TlsSniffStatus.NeedMore, null, [], null);

    public static readonly TlsSniff NotTls = new(TlsSniffStatus.NotTls, null, [], null);

    public static TlsSniff Hello(string? serverName, ImmutableArray<string> protocols) =>
        new(TlsSniffStatus.Tls, serverName, protocols, null);

    public static TlsSniff Invalid(string reason) => new(TlsSniffStatus.Invalid, null, [], reason);
}

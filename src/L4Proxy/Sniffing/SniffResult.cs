using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Sniffing;

/// <summary>What the first bytes of a connection said about it. The part the filter-chain match and the record need.</summary>
internal sealed record SniffResult
{
    /// <summary>Value of <see cref="TransportProtocol"/> after a ClientHello.</summary>
    public const string Tls = "tls";

    /// <summary>Value of <see cref="TransportProtocol"/> for everything else.</summary>
    public const string RawBuffer = "raw_buffer";

    /// <summary>Nothing recognised, nothing to skip. Also the result for a connection that is not sniffed.</summary>
    public static readonly SniffResult Raw = new();

    /// <summary>HTTP/1.0 in clear text.</summary>
    public static readonly SniffResult Http10 = new() { Http = HttpKind.Http10, ApplicationProtocols = ["http/1.0"] };

    /// <summary>HTTP/1.1 in clear text.</summary>
    public static readonly SniffResult Http11 = new() { Http = HttpKind.Http11, ApplicationProtocols = ["http/1.1"] };

    /// <summary>HTTP/2 with prior knowledge.</summary>
    public static readonly SniffResult Http2 = new() { Http = HttpKind.Http2, ApplicationProtocols = ["h2c"] };

    /// <summary><see cref="Tls"/> or <see cref="RawBuffer"/>, as <c>FilterChainMatch.transport_protocol</c> names them.</summary>
    public string TransportProtocol { get; init; } = RawBuffer;

    /// <summary>SNI in lower case without a trailing dot, host-name characters only; null when the hello has none.</summary>
    public string? ServerName { get; init; }

    /// <summary>
    /// ALPN names in the client's order (Latin-1 of the wire bytes, at most <see cref="ClientHelloMessage.MaxProtocols"/>), or
    /// the one name Envoy's http_inspector gives clear-text HTTP: <c>http/1.0</c>, <c>http/1.1</c>, <c>h2c</c>.
    /// </summary>
    public ImmutableArray<string> ApplicationProtocols { get; init; } = [];

    /// <summary>Clear-text HTTP, when it was looked for and found.</summary>
    public HttpKind Http { get; init; }

    /// <summary>The PROXY header in front; null when there was none.</summary>
    public ProxyHeader? Proxy { get; init; }

    /// <summary>
    /// Bytes at the front that belong to the PROXY header. The caller consumes exactly these; all that follows is
    /// the connection's own data and goes to the terminal untouched.
    /// </summary>
    public int BytesToSkip => Proxy?.Length ?? 0;
}

/// <summary>Clear-text HTTP as the first bytes show it.</summary>
internal enum HttpKind
{
    /// <summary>Not HTTP, or not looked for.</summary>
    None,

    /// <summary>A request line ending in HTTP/1.0.</summary>
    Http10,

    /// <summary>A request line ending in HTTP/1.1 (or a later 1.x).</summary>
    Http11,

    /// <summary>The HTTP/2 connection preface.</summary>
    Http2,
}

using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Matching;

/// <summary>What is known of a connection when its filter chain is chosen.</summary>
internal readonly struct MatchInput
{
    public MatchInput()
    {
    }

    /// <summary>The original destination, else the local address; null for a Unix socket.</summary>
    public IPEndPoint? Destination { get; init; }

    /// <summary>SNI in lower case; null when none.</summary>
    public string? ServerName { get; init; }

    /// <summary><c>tls</c> or <c>raw_buffer</c>.</summary>
    public string TransportProtocol { get; init; } = "raw_buffer";

    /// <summary>ALPN in the client's order, or the sniffed HTTP version.</summary>
    public ImmutableArray<string> ApplicationProtocols { get; init; } = [];

    /// <summary>Peer of the socket.</summary>
    public IPEndPoint? DirectSource { get; init; }

    /// <summary>The client: the peer, or what a PROXY header said.</summary>
    public IPEndPoint? Source { get; init; }
}

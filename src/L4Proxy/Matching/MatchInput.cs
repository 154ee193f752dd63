using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Listening;

namespace MeshL4.L4Proxy.Matching;

/// <summary>A condition on a connection, compiled from configuration. Allocates nothing.</summary>
internal delegate bool ConnectionPredicate(in MatchInput input);

/// <summary>Names the filter chain for a connection, or what else the actions of a tree name; null when none matches.</summary>
internal delegate string? ChainNameSelector(in MatchInput input);

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

    /// <summary>What filters noted so far; null for nothing.</summary>
    public IReadOnlyDictionary<string, string>? FilterState { get; init; }

    /// <summary>What is known of an accepted connection now.</summary>
    public static MatchInput Of(Downstream downstream) => new()
    {
        Destination = downstream.Record.Local,
        ServerName = downstream.Record.ServerName,
        TransportProtocol = downstream.Record.TransportProtocol,
        ApplicationProtocols = downstream.Sniffed.ApplicationProtocols,
        DirectSource = downstream.Record.DirectRemote,
        Source = downstream.Record.Remote,
        FilterState = downstream.FilterState,
    };
}

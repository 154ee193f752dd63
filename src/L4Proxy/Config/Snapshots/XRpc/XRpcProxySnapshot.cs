using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary><c>meshl4.xrpc.v1.XRpcProxy</c>, and what <c>redis_proxy</c> compiles to: one protocol's frames, routed one by one.</summary>
internal sealed record XRpcProxySnapshot : TerminalSnapshot
{
    /// <summary>Name of the codec, one that the build has.</summary>
    public required string Codec { get; init; }

    /// <summary>Where the routes are found; they change while connections live.</summary>
    public required XRpcRouteCell Routes { get; init; }

    /// <summary>Whether bytes that are no frame, before the first frame, become plain TCP; else they close the connection.</summary>
    public bool UnknownAsTcp => Routes.Current.UnknownAsTcp;

    /// <summary>The clusters that it would relay plain TCP to now; empty for none.</summary>
    public ImmutableArray<WeightedClusterSnapshot> RelaysTo => Routes.Current.CatchAll?.Clusters ?? [];

    /// <summary>A client without a request for this long is closed; zero never.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// The <c>tcp_proxy</c> that a codec rule put this in the place of; null for none. What is relayed as plain TCP is relayed as that would, and connections
    /// last as long as there at most. Its clusters are those of the routes, which may be newer.
    /// </summary>
    public TcpProxySnapshot? Replaced { get; init; }

    /// <summary>That rule: another would read the chain otherwise.</summary>
    public object? Rule { get; init; }

    public XRpcLimitsSnapshot Limits { get; init; } = new();

    /// <summary>What clients must present; null asks for nothing.</summary>
    public XRpcAuthenticationSnapshot? Authentication { get; init; }

    public XRpcUpstreamSnapshot Upstream { get; init; } = new();

    /// <summary>Latencies of methods are told in microseconds.</summary>
    public bool LatencyInMicros { get; init; }

    /// <summary>What only one protocol has, by its codec: <see cref="XRpcRedisSnapshot"/>.</summary>
    public XRpcRedisSnapshot? Redis { get; init; }
}

/// <summary>Bounds of one client connection. Bytes and counts.</summary>
internal sealed record XRpcLimitsSnapshot
{
    /// <summary>No head may be longer: beyond that a request is forwarded while it comes, so its head has to be known.</summary>
    public const uint MostHeadBytes = 64 * 1024;

    /// <summary>Longest head of a request; null is the codec's own.</summary>
    public int? MaxHeadBytes { get; init; }

    /// <summary>Longest frame; null is the codec's own.</summary>
    public long? MaxFrameBytes { get; init; }

    /// <summary>Requests that wait for answers; at the bound no more is read from the client.</summary>
    public int MaxPendingRequests { get; init; } = 1024;

    /// <summary>Answers held for the client: early ones, and those it does not read.</summary>
    public int MaxBufferedBytes { get; init; } = 1024 * 1024;

    /// <summary>A client that takes nothing for this long while an answer waits is closed.</summary>
    public TimeSpan SlowReaderTimeout { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Credentials a client must present. UTF-8.</summary>
internal sealed record XRpcAuthenticationSnapshot(ReadOnlyMemory<byte> Username, ImmutableArray<ReadOnlyMemory<byte>> Passwords);

/// <summary>How the servers are connected to.</summary>
internal sealed record XRpcUpstreamSnapshot
{
    /// <summary>Connections to servers are looked at so often: no check can be due earlier.</summary>
    public static readonly TimeSpan LeastHealthCheckInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>Shared connections per endpoint, loop and identity; at least 1.</summary>
    public int ConnectionsPerEndpoint { get; init; } = 1;

    /// <summary>Private connections in use at once to a cluster, of all loops; idle ones besides, per loop.</summary>
    public int MaxPinnedConnections { get; init; } = 4096;

    /// <summary>What is presented to the servers; null presents nothing.</summary>
    public XRpcCredentials? Credentials { get; init; }

    /// <summary>A shared connection that nobody used for this long is closed.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    /// <summary>New connections per second, loop and endpoint; zero is unlimited.</summary>
    public int MaxConnectsPerSecond { get; init; }

    /// <summary>
    /// After how long a silent server is asked for a sign of life, and how long it has to give one; zero never. What holds for a cluster is in
    /// <see cref="ProxySnapshot.HealthCheckIntervals"/>.
    /// </summary>
    public TimeSpan HealthCheckInterval { get; init; }
}

/// <summary>A login at a server. UTF-8; an empty user is the default one.</summary>
internal sealed record XRpcCredentials(ReadOnlyMemory<byte> Username, ReadOnlyMemory<byte> Password);

/// <summary>What only Redis has.</summary>
internal sealed record XRpcRedisSnapshot
{
    /// <summary>Keys hash by what stands in their first braces.</summary>
    public bool HashTags { get; init; }

    /// <summary>Commands beyond the server's own that are routed by their first argument. Upper case.</summary>
    public ImmutableArray<string> CustomCommands { get; init; } = [];
}

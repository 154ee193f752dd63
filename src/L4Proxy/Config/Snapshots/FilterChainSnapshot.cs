using System.Runtime.CompilerServices;
using System.Collections.Immutable;
using System.Net;

namespace MeshL4.L4Proxy.Config.Snapshots;

internal enum SourceType { Any, SameIpOrLoopback, External }

/// <summary>The criteria of <c>FilterChainMatch</c>; an empty list or a null does not restrict.</summary>
internal sealed record FilterChainMatchSnapshot
{
    public static readonly FilterChainMatchSnapshot Any = new();

    public int? DestinationPort { get; init; }

    public ImmutableArray<IPNetwork> PrefixRanges { get; init; } = [];

    /// <summary>Lower case; <c>*.example.com</c> for a wildcard.</summary>
    public ImmutableArray<string> ServerNames { get; init; } = [];

    /// <summary><c>tls</c>, <c>raw_buffer</c> or empty.</summary>
    public string TransportProtocol { get; init; } = "";

    public ImmutableArray<string> ApplicationProtocols { get; init; } = [];

    public ImmutableArray<IPNetwork> DirectSourcePrefixRanges { get; init; } = [];

    public SourceType SourceType { get; init; }

    public ImmutableArray<IPNetwork> SourcePrefixRanges { get; init; } = [];

    public ImmutableArray<int> SourcePorts { get; init; } = [];
}

/// <summary>A compiled filter chain: non-terminal filters in order, then how it ends.</summary>
internal sealed record FilterChainSnapshot
{
    public string Name { get; init; } = "";

    public FilterChainMatchSnapshot Match { get; init; } = FilterChainMatchSnapshot.Any;

    /// <summary>Limit from <c>connection_limit</c>; null when the chain has none.</summary>
    public ConnectionLimitSnapshot? ConnectionLimit { get; init; }

    /// <summary>True when the chain has a TLS transport socket, which this build cannot terminate.</summary>
    public bool RequiresTls { get; init; }

    public required TerminalSnapshot Terminal { get; init; }
}

/// <summary><c>envoy.extensions.filters.network.connection_limit</c>; <see cref="Active"/> is State shared by all loops.</summary>
internal sealed record ConnectionLimitSnapshot(string StatPrefix, long MaxConnections, TimeSpan Delay)
{
    public StrongBox<long> Active { get; init; } = new();
}

using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Reporting.Metrics;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>How a chain ends: the compiled form of its terminal network filter.</summary>
internal abstract record TerminalSnapshot
{
    private Derived<Counting<TerminalCounters>> _counting;

    public string StatPrefix { get; init; } = "";

    public ImmutableArray<AccessLogSnapshot> AccessLogs { get; init; } = [];

    /// <summary>Resources it names, which are to be there before it serves.</summary>
    public ImmutableArray<ResourceNeed> Needs { get; init; } = [];

    /// <summary>Its place for its counters.</summary>
    internal ref Derived<Counting<TerminalCounters>> Counting() => ref _counting;
}

/// <summary>One cluster of a weighted choice; weights are relative.</summary>
internal readonly record struct WeightedClusterSnapshot(string Cluster, uint Weight);

/// <summary><c>envoy.extensions.filters.network.tcp_proxy</c>.</summary>
internal sealed record TcpProxySnapshot : TerminalSnapshot
{
    /// <summary>Never empty; a single cluster has weight 1.</summary>
    public required ImmutableArray<WeightedClusterSnapshot> Clusters { get; init; }

    /// <summary>Sum of the weights.</summary>
    public ulong TotalWeight { get; init; } = 1;

    /// <summary>Closes when no byte moved in either direction for this long; zero disables. Envoy's default is 1 h.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);

    public TimeSpan? MaxDownstreamConnectionDuration { get; init; }

    /// <summary>Connect attempts in all, at least 1.</summary>
    public int MaxConnectAttempts { get; init; } = 1;
}

/// <summary><c>http_connection_manager</c>: the connection is handed to the L7 engine.</summary>
internal sealed record HttpHandoffTerminalSnapshot : TerminalSnapshot
{
    public string RouteConfigName { get; init; } = "";

    /// <summary>An HTTP filter of it refuses requests, which nobody would do behind a hand-off: no connection is taken.</summary>
    public bool IsGuarded { get; init; }

    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromHours(1);
}

/// <summary><c>direct_response</c> or an empty chain: write the bytes and close.</summary>
internal sealed record RejectTerminalSnapshot : TerminalSnapshot
{
    public ReadOnlyMemory<byte> Response { get; init; }
}

internal enum ProxyProtocolVersion { None, V1, V2 }

/// <summary>The bootstrap extension <c>meshl4.bootstrap.v1.HttpHandoff</c>.</summary>
internal sealed record HttpHandoffSnapshot(string Cluster, ProxyProtocolVersion ProxyProtocol);

/// <summary><c>envoy.extensions.filters.udp.udp_proxy</c>.</summary>
internal sealed record UdpProxySnapshot
{
    public string StatPrefix { get; init; } = "";

    public required string Cluster { get; init; }

    /// <summary>A session with no datagram for this long ends. Envoy's default is 60 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Datagrams over this size are truncated by the kernel and dropped; 65507 takes all of UDP.</summary>
    public int MaxDatagramBytes { get; init; } = 65507;

    public bool PerPacketLoadBalancing { get; init; }

    public ImmutableArray<AccessLogSnapshot> AccessLogs { get; init; } = [];
}

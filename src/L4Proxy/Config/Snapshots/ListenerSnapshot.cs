using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Reporting.Metrics;

namespace MeshL4.L4Proxy.Config.Snapshots;

internal enum TrafficDirection { Unspecified, Inbound, Outbound }

/// <summary>One compiled listener. Field meanings are those of <c>envoy.config.listener.v3.Listener</c>.</summary>
internal sealed record ListenerSnapshot
{
    private Derived<FilterChainMatcher> _matcher;
    private Derived<Counting<ListenerCounters>> _counting;

    public required string Name { get; init; }

    /// <summary>Where it binds: an <see cref="IPEndPoint"/> or a <c>UnixDomainSocketEndPoint</c>.</summary>
    public required EndPoint Address { get; init; }

    /// <summary>Name of the resource it came from: a resource with additional addresses makes several listeners.</summary>
    public string Resource { get => field ?? Name; init; }

    /// <summary><c>ipv4_compat</c>: an IPv6 address that takes IPv4 connections too, as v4-mapped ones.</summary>
    public bool IsDualStack { get; init; }

    /// <summary><c>stat_prefix</c>; empty names the metrics after the address.</summary>
    public string StatPrefix { get; init; } = "";

    public bool IsUdp { get; init; }

    /// <summary>False: never bound; reached only by hand-over from a listener with <see cref="UseOriginalDestination"/>.</summary>
    public bool BindToPort { get; init; } = true;

    /// <summary>Hand connections over to the listener that owns their original destination (exact ip:port, then wildcard:port).</summary>
    public bool UseOriginalDestination { get; init; }

    /// <summary>Bound with IP_TRANSPARENT: the local address of an accepted socket is the original destination.</summary>
    public bool Transparent { get; init; }

    public bool Freebind { get; init; }

    /// <summary>A socket a loop with SO_REUSEPORT; without, one socket on one loop, and nobody else may bind the address.</summary>
    public bool ReusePort { get; init; } = true;

    /// <summary>listen(2) backlog.</summary>
    public int Backlog { get; init; } = 4096;

    public TrafficDirection Direction { get; init; }

    public ListenerFilters Filters { get; init; } = ListenerFilters.None;

    /// <summary>Budget for sniffing; zero means no limit. Envoy's default is 15 s.</summary>
    public TimeSpan ListenerFiltersTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>When sniffing times out: go on unclassified (true) or close (false).</summary>
    public bool ContinueOnListenerFiltersTimeout { get; init; }

    /// <summary>Soft limit on bytes buffered for one connection, per direction.</summary>
    public int PerConnectionBufferLimitBytes { get; init; } = 1 << 20;

    public ImmutableArray<FilterChainSnapshot> FilterChains { get; init; } = [];

    /// <summary><c>filter_chain_matcher</c>: names the chain in place of the chains' own criteria; null for none.</summary>
    public ChainNameSelector? ChainSelector { get; init; }

    /// <summary>Taken when no chain matches; null closes the connection with NR.</summary>
    public FilterChainSnapshot? DefaultFilterChain { get; init; }

    /// <summary>All chains, the default one last.</summary>
    public IEnumerable<FilterChainSnapshot> Chains => DefaultFilterChain is { } last ? FilterChains.Append(last) : FilterChains;

    /// <summary>This listener with another chain in the place of each.</summary>
    public ListenerSnapshot WithChains(Func<FilterChainSnapshot, FilterChainSnapshot> other) => this with
    {
        FilterChains = [.. FilterChains.Select(other)],
        DefaultFilterChain = DefaultFilterChain is { } last ? other(last) : null,
    };

    /// <summary>Set exactly when <see cref="IsUdp"/>.</summary>
    public UdpProxySnapshot? Udp { get; init; }

    /// <summary>Listener-level access logs: written for connections that end before a chain is chosen.</summary>
    public ImmutableArray<AccessLogSnapshot> AccessLogs { get; init; } = [];

    /// <summary>Its place for the matcher of its chains.</summary>
    internal ref Derived<FilterChainMatcher> Matcher() => ref _matcher;

    /// <summary>Its place for its counters.</summary>
    internal ref Derived<Counting<ListenerCounters>> Counting() => ref _counting;
}

/// <summary>How upstream connections take the client's address.</summary>
/// <param name="Mark">Mark of their packets, which routes the answers back here; 0 for none.</param>
/// <param name="BindPort">The client's port, too.</param>
internal sealed record OriginalSourceSnapshot(uint Mark, bool BindPort);

/// <summary>Which listener filters run, and with what settings.</summary>
internal sealed record ListenerFilters
{
    public static readonly ListenerFilters None = new();

    /// <summary><c>original_dst</c>: read SO_ORIGINAL_DST at accept.</summary>
    public bool OriginalDestination { get; init; }

    /// <summary><c>tls_inspector</c>: look for a TLS ClientHello.</summary>
    public bool TlsInspector { get; init; }

    /// <summary><c>http_inspector</c>: look for HTTP/1 and the HTTP/2 preface.</summary>
    public bool HttpInspector { get; init; }

    /// <summary><c>original_src</c>: upstream connections leave from the client's address; null for this proxy's own.</summary>
    public OriginalSourceSnapshot? OriginalSource { get; init; }

    /// <summary>Destination ports on which a filter does not run (from <c>filter_disabled</c>); null runs always.</summary>
    public PortSet? TlsInspectorDisabled { get; init; }

    public PortSet? HttpInspectorDisabled { get; init; }

    public PortSet? ProxyProtocolDisabled { get; init; }

    /// <summary>Of the port that the connection was accepted on.</summary>
    public PortSet? OriginalDestinationDisabled { get; init; }

    public PortSet? OriginalSourceDisabled { get; init; }

    /// <summary><c>proxy_protocol</c>: a PROXY header is expected first.</summary>
    public bool ProxyProtocol { get; init; }

    public bool AllowWithoutProxyProtocol { get; init; }

    public bool AllowProxyV1 { get; init; } = true;

    public bool AllowProxyV2 { get; init; } = true;

    /// <summary>Filters whose settings are discovered. Before the listener is published, what came is among the settings above.</summary>
    public ImmutableArray<ListenerFilterPlace> Places { get; init; } = [];

    /// <summary>Settings of one of them never came, and there is no default: what it would have found out is not known, and connections are refused.</summary>
    public bool LacksConfig { get; init; }

    /// <summary>Why they are.</summary>
    public const string ConfigMissing = "listener_filter_config_missing";

    public bool NeedsBytes => TlsInspector || HttpInspector || ProxyProtocol;
}

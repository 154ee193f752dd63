using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Decoding;

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

    /// <summary>Whether it takes every connection.</summary>
    public bool TakesAll => DestinationPort is null && TransportProtocol.Length == 0 && SourceType == SourceType.Any
        && PrefixRanges.Length + ServerNames.Length + ApplicationProtocols.Length + DirectSourcePrefixRanges.Length + SourcePrefixRanges.Length + SourcePorts.Length == 0;

    /// <summary>How many combinations of single values it stands for, each of which is a leaf of the table of chains.</summary>
    public long Combinations
    {
        get
        {
            long product = 1;
            foreach (int length in (ReadOnlySpan<int>)[
                PrefixRanges.Length, ServerNames.Length, ApplicationProtocols.Length, DirectSourcePrefixRanges.Length, SourcePrefixRanges.Length, SourcePorts.Length])
            {
                product = Math.Min(product, uint.MaxValue) * Math.Max(length, 1);
            }

            return product;
        }
    }
}

/// <summary>A compiled filter chain: non-terminal filters in order, then how it ends.</summary>
internal sealed record FilterChainSnapshot
{
    public string Name { get; init; } = "";

    public FilterChainMatchSnapshot Match { get; init; } = FilterChainMatchSnapshot.Any;

    /// <summary>Digest of the chain as configured, without what may change under its connections: equal chains of two updates are the same chain.</summary>
    public UInt128 Fingerprint { get; init; }

    /// <summary>Non-terminal filters in their order.</summary>
    public ImmutableArray<NetworkFilterSnapshot> Filters { get; init; } = [];

    /// <summary>True when the chain has a TLS transport socket, which this build cannot terminate.</summary>
    public bool RequiresTls { get; init; }

    public required TerminalSnapshot Terminal { get; init; }

    /// <summary>The secrets that its TLS settings name.</summary>
    public ImmutableArray<ResourceNeed> Secrets { get; init; } = [];

    /// <summary>Settings of one of its filters never came, and there is no default.</summary>
    public bool LacksFilterConfig { get; init; }

    /// <summary>The chain as configured, with the places of discovered filters; the same object through all that come into them.</summary>
    public FilterChainSnapshot Origin { get => field ?? this; init; }

    /// <summary>Why the chain takes part in matching and closes what it matches; null for one that serves.</summary>
    public string? Refusal => RequiresTls ? TlsUnsupported
        : LacksFilterConfig ? FilterConfigMissing
        : Terminal is HttpHandoffTerminalSnapshot { IsGuarded: true } ? HttpFilterUnsupported : null;

    public const string TlsUnsupported = "tls_unsupported";

    public const string HttpFilterUnsupported = "http_filter_unsupported";

    public const string FilterConfigMissing = "network_filter_config_missing";
}

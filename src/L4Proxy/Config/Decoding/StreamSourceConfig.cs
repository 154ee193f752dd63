using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Resources of one type that come over a stream.</summary>
/// <param name="Api">The stream's own settings; null for the aggregated one of the bootstrap.</param>
/// <param name="FirstFetch">How long to wait for a first answer; zero for ever.</param>
internal sealed record StreamSourceConfig(ControlPlaneConfig? Api, TimeSpan FirstFetch)
{
    /// <summary>Time for a first answer when the configuration does not say.</summary>
    public static readonly TimeSpan DefaultFirstFetch = TimeSpan.FromSeconds(15);

    /// <summary>The longest time a timer of the runtime measures, nearly; beyond it is for ever.</summary>
    public static readonly TimeSpan LongestTimer = TimeSpan.FromDays(49);

    /// <summary>Whose resources of a type these are: equal for equal settings, and another for every other control plane.</summary>
    public string SourceOf(string typeUrl) => Api is null ? DiscoveryMethods.Aggregated : DiscoveryMethods.SourceOf(typeUrl, Api);

    /// <summary>The time for a first answer; zero, for ever, also where it is longer than a timer can measure.</summary>
    public static TimeSpan FirstFetchOf(Google.Protobuf.WellKnownTypes.Duration? value, DecodeScope scope)
        => scope.Duration("initial_fetch_timeout", value) is not { } wait ? DefaultFirstFetch : wait > LongestTimer ? TimeSpan.Zero : wait;
}

/// <summary>A decoded <c>ApiConfigSource</c>.</summary>
/// <param name="Key">Equal for equal settings: such sources share a stream.</param>
internal sealed record ControlPlaneConfig(string Key)
{
    /// <summary>Short for <see cref="Key"/>, and the same after a restart: the first server and a hash.</summary>
    public string Id { get; init; } = "";

    /// <summary>Delta, else state of the world.</summary>
    public bool Delta { get; init; }

    public bool NodeOnFirstMessageOnly { get; init; }

    /// <summary>The first is preferred.</summary>
    public ImmutableArray<GrpcServerConfig> Servers { get; init; } = [];
}

/// <summary>A decoded <c>GrpcService</c>: a static cluster or a target of its own.</summary>
internal sealed record GrpcServerConfig
{
    /// <summary>Name of a static cluster; null with <see cref="Target"/>.</summary>
    public string? Cluster { get; init; }

    /// <summary><c>host:port</c> or <c>unix:/path</c>; null with <see cref="Cluster"/>.</summary>
    public string? Target { get; init; }

    /// <summary>The <c>:authority</c> of requests.</summary>
    public string Authority { get; init; } = "";

    /// <summary>Headers of each stream.</summary>
    public ImmutableArray<KeyValuePair<string, string>> Metadata { get; init; } = [];

    /// <summary>Headers whose values are read at each connect.</summary>
    public ImmutableArray<SecretHeaderConfig> Secrets { get; init; } = [];

    /// <summary>TLS to the server; null for plaintext.</summary>
    public ServerTlsConfig? Tls { get; init; }
}

/// <summary>A header with a secret that may be renewed where it stands.</summary>
internal sealed record SecretHeaderConfig(string Name, string Prefix, DataSource Value);

/// <summary>TLS to a control plane; the sources are read at each connect.</summary>
/// <param name="Roots">Certificates trusted; null for those of the system.</param>
/// <param name="Chain">Our certificate, the leaf first; null for none.</param>
/// <param name="Key">Its key.</param>
internal sealed record ServerTlsConfig(DataSource? Roots, DataSource? Chain, DataSource? Key)
{
    /// <summary>Name for SNI, and the one the server's certificate must have; empty for the host of the authority.</summary>
    public string ServerName { get; init; } = "";

    /// <summary>Names of which the server's certificate must have one, in place of <see cref="ServerName"/>; empty for none.</summary>
    public ImmutableArray<ServerNameRule> Names { get; init; } = [];
}

/// <summary>A condition on one subject alternative name.</summary>
/// <param name="Kind">The kind of name; unspecified for any.</param>
/// <param name="Matches">Decides.</param>
internal sealed record ServerNameRule(SubjectAltNameMatcher.Types.SanType Kind, TextPredicate Matches);

using System.Collections.Immutable;
using System.Net;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>One endpoint as configured, before it meets its live state.</summary>
/// <param name="Address">Null when <paramref name="Host"/> is to be resolved.</param>
/// <param name="Host">Name to resolve for DNS clusters; empty otherwise.</param>
/// <param name="Port">Port for the resolved addresses; 0 with an address.</param>
/// <param name="Hostname">Name given to the endpoint; may be empty.</param>
/// <param name="Weight">At least 1.</param>
/// <param name="Health">As the control plane says.</param>
/// <param name="Group">Priority and locality.</param>
/// <param name="SocketMatch">The endpoint's <c>envoy.transport_socket_match</c> metadata; null when it has none.</param>
internal sealed record EndpointConfig(
    EndPoint? Address, string Host, int Port, string Hostname, uint Weight, EndpointHealth Health, EndpointGroup Group, Struct? SocketMatch);

/// <summary>One entry of <c>transport_socket_matches</c>.</summary>
internal sealed record SocketMatchConfig(Struct Criteria, bool RequiresTls);

/// <summary>A decoded cluster: what does not depend on discovery, and the endpoints given inline.</summary>
internal sealed record ClusterConfig
{
    /// <summary>Everything but endpoints and state (its State is a placeholder).</summary>
    public required ClusterSnapshot Template { get; init; }

    public ImmutableArray<EndpointConfig> Endpoints { get; init; } = [];

    public ImmutableArray<SocketMatchConfig> SocketMatches { get; init; } = [];

    /// <summary>EDS from a file; null for streams and other discovery types.</summary>
    public FileSourceConfig? EdsFile { get; init; }

    /// <summary>The secrets that its TLS settings name.</summary>
    public ImmutableArray<ResourceNeed> Secrets { get; init; } = [];

    /// <summary>EDS over a stream; null for files and other discovery types.</summary>
    public StreamSourceConfig? EdsStream { get; init; }

    /// <summary>Whose its endpoints are; empty when it has them inline or from elsewhere.</summary>
    public string EdsSource => Template.EdsSource;
}

/// <summary>A <c>path_config_source</c>.</summary>
internal sealed record FileSourceConfig(string Path, string? WatchedDirectory);

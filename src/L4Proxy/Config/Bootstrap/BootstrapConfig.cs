using System.Collections.Immutable;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>A decoded bootstrap: the process's own settings, the static resources, and where the others come from.</summary>
internal sealed record BootstrapConfig
{
    /// <summary>The message as read, for /config_dump.</summary>
    public required IMessage Message { get; init; }

    public required BootstrapSnapshot Process { get; init; }

    public HttpHandoffSnapshot? Handoff { get; init; }

    /// <summary>Which <c>tcp_proxy</c> chains a codec reads.</summary>
    public ImmutableArray<CodecRuleSnapshot> CodecRules { get; init; } = [];

    /// <summary>Static listeners without those taken as a request for 15021 and 15090.</summary>
    public IReadOnlyList<IMessage> Listeners { get; init; } = [];

    public IReadOnlyList<IMessage> Clusters { get; init; } = [];

    public IReadOnlyList<IMessage> Secrets { get; init; } = [];

    /// <summary><c>lds_config</c> from a file; null for none or a stream.</summary>
    public FileSourceConfig? ListenerFile { get; init; }

    /// <summary><c>cds_config</c> from a file; null for none or a stream.</summary>
    public FileSourceConfig? ClusterFile { get; init; }

    /// <summary><c>lds_config</c> over a stream; null for none or a file.</summary>
    public StreamSourceConfig? ListenerStream { get; init; }

    /// <summary><c>cds_config</c> over a stream; null for none or a file.</summary>
    public StreamSourceConfig? ClusterStream { get; init; }

    /// <summary><c>ads_config</c>; null when there is no aggregated stream.</summary>
    public ControlPlaneConfig? Ads { get; init; }

    /// <summary>File with a bearer token for every control plane; empty for none.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Where the last good resources are kept; null for nowhere.</summary>
    public SnapshotFileConfig? SnapshotFile { get; init; }

    /// <summary>Endpoints are subscribed to by the first connection; null subscribes to those of every cluster.</summary>
    public LazyEndpointsConfig? LazyEndpoints { get; init; }

    /// <summary>The DNS proxy; null when it is off.</summary>
    public DnsProxyConfig? Dns { get; init; }

    /// <summary>Who the proxy says it is.</summary>
    public Protos.Envoy.Config.Core.V3.Node Node { get; init; } = new();
}

/// <summary>The file of the last good resources, and how long after the start no control plane may answer before it is used.</summary>
internal sealed record SnapshotFileConfig(string Path, TimeSpan Wait);

/// <summary>How long a connection is held for the endpoints of its cluster, and how long an unused cluster keeps them.</summary>
internal sealed record LazyEndpointsConfig(TimeSpan Hold, TimeSpan Idle);

using System.Collections.Frozen;
using System.Collections.Immutable;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>Everything the data path reads, compiled from xDS or a bootstrap. Immutable; swapped whole by <see cref="SnapshotStore"/>.</summary>
internal sealed record ProxySnapshot
{
    public static readonly ProxySnapshot Empty = new();

    /// <summary>Grows by one with every swap.</summary>
    public long Version { get; init; }

    public ImmutableArray<ListenerSnapshot> Listeners { get; init; } = [];

    /// <summary>By name. Snapshots share what did not change between them.</summary>
    public ImmutableDictionary<string, ClusterSnapshot> Clusters { get; init; } = ImmutableDictionary.Create<string, ClusterSnapshot>(StringComparer.Ordinal);

    /// <summary>How often servers of RPC protocols are asked for signs of life, by cluster, as <see cref="XRpc.HealthCheckIntervals"/> has it.</summary>
    public FrozenDictionary<string, TimeSpan> HealthCheckIntervals { get; init; } = FrozenDictionary<string, TimeSpan>.Empty;

    /// <summary>The names of the mesh; null before a control plane has told them.</summary>
    public NameTableSnapshot? Names { get; init; }

    /// <summary>Where HTTP goes; null when no engine is configured.</summary>
    public HttpHandoffSnapshot? Handoff { get; init; }
}

using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>A resource that another one names: a route configuration, a secret, the settings of a filter. Where it comes from, and how long it is waited for.</summary>
internal sealed record ResourceNeed
{
    /// <summary>Tells it from others: of two control planes that have equal names each is asked for its own.</summary>
    public required ResourceKey Key { get; init; }

    public string TypeUrl => Key.TypeUrl;

    public string Name => Key.Name;

    /// <summary>Whose it is.</summary>
    public string Source => Key.Source;

    /// <summary>Null when it comes from a file or from the bootstrap.</summary>
    public StreamSourceConfig? Stream { get; init; }

    /// <summary>Null when it comes from a stream or from the bootstrap.</summary>
    public FileSourceConfig? File { get; init; }

    /// <summary>How long who names it waits for it; zero for ever.</summary>
    public TimeSpan FirstFetch { get; init; } = StreamSourceConfig.DefaultFirstFetch;

    /// <summary>Types the settings of a filter may have; empty for other resources.</summary>
    public ImmutableArray<string> Types { get; init; } = [];

    /// <summary>Whether the settings are those of a listener filter, else of a network filter.</summary>
    public bool IsListenerFilter { get; init; }

    /// <summary>Whether the filter is the last of its chain, which has to end connections.</summary>
    public bool IsLast { get; init; }

    /// <summary>Who uses routes of an RPC protocol; null for other resources.</summary>
    public XRpcRouteCell? Routes { get; init; }

    /// <summary>Null, with an error, when the source is none.</summary>
    public static ResourceNeed? From(string typeUrl, string name, ConfigSource source, DecodeScope scope)
    {
        FileSourceConfig? file = DiscoveryDecoder.FileOf(source, scope);
        StreamSourceConfig? stream = ControlPlaneDecoder.StreamOf(source, scope);
        return file is null && stream is null ? null : new ResourceNeed
        {
            Key = ResourceKey.Of(typeUrl, file?.Path ?? Interned<string>.Of(stream!.SourceOf(typeUrl)), name), File = file, Stream = stream,
            FirstFetch = StreamSourceConfig.FirstFetchOf(source.InitialFetchTimeout, scope),
        };
    }
}

using System.Collections.Frozen;
using Google.Protobuf.WellKnownTypes;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Network filters that only observe: without them the same bytes reach the same place. By type or by name, both as published.</summary>
internal static class InertFilters
{
    private static readonly FrozenSet<string> Known = FrozenSet.ToFrozenSet(
    [
        "envoy.tcp.metadataexchange.config.MetadataExchange", "istio.metadata_exchange", "envoy.filters.network.metadata_exchange",
        "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy", "envoy.filters.network.mongo_proxy",
    ]);

    /// <summary>Istio's telemetry. Its metrics (<c>istio_tcp_*</c>) are always kept, so that there is nothing to tell.</summary>
    private static readonly FrozenSet<string> Telemetry = FrozenSet.ToFrozenSet(["stats.PluginConfig", "istio.stats"]);

    public static bool Names(string name, Any? typed) => Is(Known, name, typed) || Is(Telemetry, name, typed);

    /// <summary>One warning for a resource, however many chains of it have the filter.</summary>
    public static void Tell(string name, Any? typed, DecodeScope scope)
    {
        if (!Is(Telemetry, name, typed))
        {
            scope.WarnOnce($"network filter '{name}' only observes and is left out");
        }
    }

    /// <summary>A type that is given decides; the name speaks for a filter without one.</summary>
    private static bool Is(FrozenSet<string> names, string name, Any? typed)
        => names.Contains(typed is null ? name : TypedConfig.TypeName(typed));
}

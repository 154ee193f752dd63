using System.Collections.Frozen;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.ConnectionLimit.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using DirectResponse = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.DirectResponse.V3.Config;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>What one network filter compiled to. A terminal filter in error has <see cref="IsTerminal"/> and no <see cref="Terminal"/>.</summary>
internal readonly record struct NetworkFilter(bool IsTerminal, TerminalSnapshot? Terminal = null, ConnectionLimitSnapshot? Limit = null);

/// <summary>Chooses the decoder of a network filter by the type of its configuration.</summary>
internal static class NetworkFilterDecoder
{
    /// <summary>Filters that only observe; without them the same bytes reach the same place. By type or by name, both as published.</summary>
    private static readonly FrozenSet<string> Observing = FrozenSet.ToFrozenSet(
    [
        "stats.PluginConfig", "istio.stats", "envoy.tcp.metadataexchange.config.MetadataExchange", "istio.metadata_exchange",
        "envoy.filters.network.metadata_exchange", "envoy.extensions.filters.network.mongo_proxy.v3.MongoProxy",
        "envoy.extensions.filters.network.mysql_proxy.v3.MySQLProxy", "envoy.extensions.filters.network.set_filter_state.v3.Config",
    ]);

    public static NetworkFilter Decode(Filter filter, DecodeScope scope)
    {
        DecodeScope typed = scope.Field("typed_config");
        if (TypedConfig.Is<TcpProxy>(filter.TypedConfig))
        {
            return End(TypedConfig.Unpack<TcpProxy>(filter.TypedConfig, typed) is { } tcp ? TcpProxyDecoder.Decode(tcp, typed) : null);
        }

        if (TypedConfig.Is<RedisProxy>(filter.TypedConfig))
        {
            return End(TypedConfig.Unpack<RedisProxy>(filter.TypedConfig, typed) is { } redis ? RedisProxyDecoder.Decode(redis, typed) : null);
        }

        if (TypedConfig.Is<HttpConnectionManager>(filter.TypedConfig))
        {
            return End(TypedConfig.Unpack<HttpConnectionManager>(filter.TypedConfig, typed) is { } http ? HttpManagerDecoder.Decode(http, typed) : null);
        }

        if (TypedConfig.Is<DirectResponse>(filter.TypedConfig))
        {
            return End(TypedConfig.Unpack<DirectResponse>(filter.TypedConfig, typed) is { } direct
                && DataSourceDecoder.Decode(direct.Response, typed.Field("response")) is { } bytes
                    ? new RejectTerminalSnapshot { Response = bytes }
                    : null);
        }

        return TypedConfig.Is<ConnectionLimit>(filter.TypedConfig)
            ? new NetworkFilter(false, Limit: Limit(TypedConfig.Unpack<ConnectionLimit>(filter.TypedConfig, typed), typed))
            : SetAside(filter, scope);
    }

    private static NetworkFilter End(TerminalSnapshot? terminal) => new(true, terminal);

    private static ConnectionLimitSnapshot? Limit(ConnectionLimit? limit, DecodeScope scope)
    {
        if (limit is null || limit.RuntimeEnabled is { DefaultValue: false })
        {
            return null;
        }

        if (limit.MaxConnections is not { } max || max is 0 or > long.MaxValue)
        {
            scope.Field("max_connections").Error("must be at least 1");
            return null;
        }

        return new ConnectionLimitSnapshot(limit.StatPrefix, (long)max, scope.Duration("delay", limit.Delay) ?? TimeSpan.Zero);
    }

    private static NetworkFilter SetAside(Filter filter, DecodeScope scope)
    {
        string type = TypedConfig.TypeName(filter.TypedConfig);
        if (Observing.Contains(type) || Observing.Contains(filter.Name))
        {
            scope.Warn($"network filter '{filter.Name}' only observes and is left out");
            return default;
        }

        scope.Error($"network filter '{filter.Name}' ({(type.Length > 0 ? type : "no typed_config")}) is not supported");
        return new NetworkFilter(true);
    }
}

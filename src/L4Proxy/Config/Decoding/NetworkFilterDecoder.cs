using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.ConnectionLimit.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.LocalRatelimit.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.SniCluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots;
using DirectResponse = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.DirectResponse.V3.Config;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;
using SetFilterState = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.SetFilterState.V3.Config;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>What one network filter compiled to. A terminal filter in error has <see cref="IsTerminal"/> and no <see cref="Terminal"/>.</summary>
internal readonly record struct NetworkFilter(bool IsTerminal, TerminalSnapshot? Terminal = null, NetworkFilterSnapshot? Filter = null);

/// <summary>Chooses the decoder of a network filter by the type of its configuration.</summary>
internal static class NetworkFilterDecoder
{
    private delegate NetworkFilter Decoder(Any typed, DecodeScope scope);

    private const string Package = "envoy.extensions.filters.network.";

    /// <summary>By the full name of the message, as text: asking the messages would build ten descriptors in every start.</summary>
    private static readonly Dictionary<string, Decoder> Known = new(StringComparer.Ordinal)
    {
        [Package + "tcp_proxy.v3.TcpProxy"] = End<TcpProxy>(TcpProxyDecoder.Decode),
        [Package + "redis_proxy.v3.RedisProxy"] = End<RedisProxy>(RedisModel.Decode),
        ["meshl4.xrpc.v1.XRpcProxy"] = End<XRpcProxy>(XRpcProxyDecoder.Decode),
        [Package + "http_connection_manager.v3.HttpConnectionManager"] = End<HttpConnectionManager>(HttpManagerDecoder.Decode),
        [Package + "direct_response.v3.Config"] = End<DirectResponse>(DecodeResponse),
        [Package + "connection_limit.v3.ConnectionLimit"] = Pass<ConnectionLimit>(AdmissionFilterDecoder.Decode),
        [Package + "local_ratelimit.v3.LocalRateLimit"] = Pass<LocalRateLimit>(AdmissionFilterDecoder.Decode),
        [Package + "set_filter_state.v3.Config"] = Pass<SetFilterState>(AdmissionFilterDecoder.Decode),
        [Package + "rbac.v3.RBAC"] = Pass<NetworkRbac>(RbacDecoder.Decode),
        [Package + "sni_cluster.v3.SniCluster"] = Pass<SniCluster>(static (_, _) => new SniClusterSnapshot()),
    };

    /// <summary>Full names of the messages.</summary>
    internal static IEnumerable<string> Types => Known.Keys;

    /// <summary>Decodes a filter of a chain.</summary>
    /// <param name="filter">As configured.</param>
    /// <param name="last">Whether it is the last of its chain.</param>
    /// <param name="scope">The filter's place.</param>
    public static NetworkFilter Decode(Filter filter, bool last, DecodeScope scope)
    {
        if (filter.ConfigTypeCase != Filter.ConfigTypeOneofCase.ConfigDiscovery)
        {
            return Decode(filter.Name, filter.TypedConfig, scope, scope.Field("typed_config"));
        }

        DiscoveredFilterSnapshot? place = ExtensionDecoder.Place(filter.Name, filter.ConfigDiscovery, need => need with { IsLast = last }, scope);
        return new NetworkFilter(last, last && place is not null ? DiscoveredTerminalSnapshot.Instance : null, place);
    }

    /// <summary>Decodes a filter's settings.</summary>
    /// <param name="name">The filter's name.</param>
    /// <param name="typed">Its settings; null for none.</param>
    /// <param name="scope">The filter's place.</param>
    /// <param name="settings">The settings' place.</param>
    public static NetworkFilter Decode(string name, Any? typed, DecodeScope scope, DecodeScope settings)
    {
        string type = TypedConfig.TypeName(typed);
        if (Known.TryGetValue(type, out Decoder? decoder))
        {
            return decoder(typed!, settings);
        }

        if (InertFilters.Names(name, typed))
        {
            InertFilters.Tell(name, typed, scope);
            return default;
        }

        scope.Error($"network filter '{name}' ({(type.Length > 0 ? type : "no typed_config")}) is not supported");
        return new NetworkFilter(true);
    }

    private static Decoder End<T>(Func<T, DecodeScope, TerminalSnapshot?> decode)
        where T : class, IMessage<T>, new()
        => (typed, scope) => new(true, TypedConfig.Unpack<T>(typed, scope) is { } settings ? decode(settings, scope) : null);

    private static Decoder Pass<T>(Func<T, DecodeScope, NetworkFilterSnapshot?> decode)
        where T : class, IMessage<T>, new()
        => (typed, scope) => new(false, null, TypedConfig.Unpack<T>(typed, scope) is { } settings ? decode(settings, scope) : null);

    private static RejectTerminalSnapshot? DecodeResponse(DirectResponse direct, DecodeScope scope)
        => DataSourceDecoder.Decode(direct.Response, scope.Field("response")) is { } bytes ? new RejectTerminalSnapshot { Response = bytes } : null;
}

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

    /// <summary>By the full name of the message.</summary>
    private static readonly Dictionary<string, Decoder> Known = new(StringComparer.Ordinal)
    {
        [NameOf<TcpProxy>()] = End<TcpProxy>(TcpProxyDecoder.Decode),
        [NameOf<RedisProxy>()] = End<RedisProxy>(RedisModel.Decode),
        [NameOf<XRpcProxy>()] = End<XRpcProxy>(XRpcProxyDecoder.Decode),
        [NameOf<HttpConnectionManager>()] = End<HttpConnectionManager>(HttpManagerDecoder.Decode),
        [NameOf<DirectResponse>()] = End<DirectResponse>(DecodeResponse),
        [NameOf<ConnectionLimit>()] = Pass<ConnectionLimit>(AdmissionFilterDecoder.Decode),
        [NameOf<LocalRateLimit>()] = Pass<LocalRateLimit>(AdmissionFilterDecoder.Decode),
        [NameOf<SetFilterState>()] = Pass<SetFilterState>(AdmissionFilterDecoder.Decode),
        [NameOf<NetworkRbac>()] = Pass<NetworkRbac>(RbacDecoder.Decode),
        [NameOf<SniCluster>()] = Pass<SniCluster>(static (_, _) => new SniClusterSnapshot()),
    };

    public static NetworkFilter Decode(Filter filter, DecodeScope scope)
    {
        string type = TypedConfig.TypeName(filter.TypedConfig);
        if (Known.TryGetValue(type, out Decoder? decoder))
        {
            return decoder(filter.TypedConfig, scope.Field("typed_config"));
        }

        if (InertFilters.Names(filter.Name, filter.TypedConfig))
        {
            InertFilters.Tell(filter.Name, filter.TypedConfig, scope);
            return default;
        }

        scope.Error($"network filter '{filter.Name}' ({(type.Length > 0 ? type : "no typed_config")}) is not supported");
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

    private static string NameOf<T>()
        where T : IMessage<T>, new()
        => new T().Descriptor.FullName;
}

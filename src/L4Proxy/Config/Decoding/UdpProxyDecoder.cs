using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Udp.UdpProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the <c>udp_proxy</c> of a UDP listener.</summary>
internal static class UdpProxyDecoder
{
    private const int LargestDatagram = 65507;

    /// <summary>Null, with errors in the scope, unless the listener's only listener filter is a usable udp_proxy.</summary>
    public static UdpProxySnapshot? DecodeListener(Listener listener, DecodeScope scope)
    {
        if (listener.FilterChains.Count > 0 || listener.DefaultFilterChain is not null)
        {
            scope.Field("filter_chains").Error("a UDP listener has no filter chains");
        }

        if (listener.ListenerFilters.Count != 1 || !TypedConfig.Is<UdpProxyConfig>(listener.ListenerFilters[0].TypedConfig))
        {
            scope.Field("listener_filters").Error("a UDP listener needs exactly one listener filter, udp_proxy");
            return null;
        }

        DecodeScope typed = scope.Item("listener_filters", 0).Field("typed_config");
        UdpProxyConfig? proxy = TypedConfig.Unpack<UdpProxyConfig>(listener.ListenerFilters[0].TypedConfig, typed);
        ulong? listenerSize = listener.UdpListenerConfig?.DownstreamSocketConfig?.MaxRxDatagramSize;
        return proxy is null ? null : Decode(proxy, listenerSize, typed);
    }

    private static UdpProxySnapshot? Decode(UdpProxyConfig proxy, ulong? listenerSize, DecodeScope scope)
    {
        if (proxy.RouteSpecifierCase != UdpProxyConfig.RouteSpecifierOneofCase.Cluster || proxy.Cluster.Length == 0)
        {
            scope.Error("cluster is required (a matcher is not supported)");
            return null;
        }

        if (proxy.UseOriginalSrcIp)
        {
            scope.Field("use_original_src_ip").Error("is not supported");
        }

        return new UdpProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            Cluster = proxy.Cluster,
            IdleTimeout = scope.PositiveDuration("idle_timeout", proxy.IdleTimeout) ?? TimeSpan.FromSeconds(60),
            MaxDatagramBytes = (int)Math.Clamp(listenerSize ?? LargestDatagram, 1, LargestDatagram),
            PerPacketLoadBalancing = proxy.UsePerPacketLoadBalancing,
            AccessLogs = AccessLogDecoder.Decode(proxy.AccessLog, scope),
        };
    }
}

using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Udp.UdpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Xds.Type.Matcher.V3;
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

        for (int i = 0; i < listener.ListenerFilters.Count; i++)
        {
            if (!TypedConfig.Is<UdpProxyConfig>(listener.ListenerFilters[i].TypedConfig))
            {
                ListenerFilter other = listener.ListenerFilters[i];
                scope.Item("listener_filters", i).Error($"UDP listener filter '{other.Name}' ({TypedConfig.TypeName(other.TypedConfig)}) is not supported");
            }
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
        string cluster = ClusterOf(proxy, scope);
        if (cluster.Length == 0)
        {
            scope.Error("a cluster is required: 'cluster', or a 'matcher' whose on_no_match routes to one");
            return null;
        }

        if (proxy.UseOriginalSrcIp)
        {
            scope.Field("use_original_src_ip").Error("is not supported");
        }

        return new UdpProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            Cluster = cluster,
            IdleTimeout = scope.PositiveDuration("idle_timeout", proxy.IdleTimeout) ?? TimeSpan.FromSeconds(60),
            MaxDatagramBytes = (int)Math.Clamp(listenerSize ?? LargestDatagram, 1, LargestDatagram),
            PerPacketLoadBalancing = proxy.UsePerPacketLoadBalancing,
            AccessLogs = AccessLogDecoder.Decode(proxy.AccessLog, scope),
        };
    }

    /// <summary>The one cluster of all sessions: the deprecated field, or the matcher that matches nothing and routes the rest.</summary>
    private static string ClusterOf(UdpProxyConfig proxy, DecodeScope scope)
    {
        if (proxy.Matcher is not { } matcher)
        {
            return proxy.Cluster;
        }

        DecodeScope at = scope.Field("matcher");
        if (matcher.MatcherTypeCase != Matcher.MatcherTypeOneofCase.None)
        {
            at.Error("sessions cannot be told apart: of a matcher only on_no_match is supported");
        }

        DecodeScope action = at.Field("on_no_match").Field("action").Field("typed_config");
        return matcher.OnNoMatch?.Action?.TypedConfig is { } route && TypedConfig.Is<Route>(route)
            ? TypedConfig.Unpack<Route>(route, action)?.Cluster ?? ""
            : "";
    }
}

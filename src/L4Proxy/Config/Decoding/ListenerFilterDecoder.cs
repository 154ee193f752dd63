using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.HttpInspector.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.OriginalDst.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.OriginalSrc.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.ProxyProtocol.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.TlsInspector.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the <c>listener_filters</c> of a TCP listener. <c>use_original_dst</c> implies <c>original_dst</c>, as in Envoy.</summary>
internal static class ListenerFilterDecoder
{
    public static ListenerFilters Decode(Listener listener, bool udp, DecodeScope scope)
    {
        ListenerFilters filters = ListenerFilters.None with { OriginalDestination = listener.UseOriginalDst ?? false };
        for (int i = 0; i < listener.ListenerFilters.Count && !udp; i++)
        {
            filters = Add(filters, listener.ListenerFilters[i], scope.Item("listener_filters", i));
        }

        return filters;
    }

    private static ListenerFilters Add(ListenerFilters filters, ListenerFilter filter, DecodeScope scope)
    {
        PortSet? disabled = filter.FilterDisabled is { } predicate
            ? FilterDisabledPredicate.Compile(predicate, scope.Field("filter_disabled"))
            : null;
        if (Names<TlsInspector>(filter, "tls_inspector"))
        {
            return filters with { TlsInspector = true, TlsInspectorDisabled = disabled };
        }

        if (Names<HttpInspector>(filter, "http_inspector"))
        {
            return filters with { HttpInspector = true, HttpInspectorDisabled = disabled };
        }

        if (Names<OriginalDst>(filter, "original_dst"))
        {
            return filters with { OriginalDestination = true, OriginalDestinationDisabled = disabled };
        }

        if (Names<ProxyProtocol>(filter, "proxy_protocol"))
        {
            return AddProxyProtocol(filters, filter, scope.Field("typed_config")) with { ProxyProtocolDisabled = disabled };
        }

        if (Names<OriginalSrc>(filter, "original_src"))
        {
            OriginalSrc? source = filter.TypedConfig is null ? new OriginalSrc() : TypedConfig.Unpack<OriginalSrc>(filter.TypedConfig, scope.Field("typed_config"));
            return source is null ? filters : filters with
            {
                OriginalSource = new OriginalSourceSnapshot(source.Mark, source.BindPort),
                OriginalSourceDisabled = disabled,
            };
        }

        scope.Error($"listener filter '{filter.Name}' ({TypedConfig.TypeName(filter.TypedConfig)}) is not supported");
        return filters;
    }

    private static ListenerFilters AddProxyProtocol(ListenerFilters filters, ListenerFilter filter, DecodeScope scope)
    {
        ProxyProtocol? settings = filter.TypedConfig is null ? new ProxyProtocol() : TypedConfig.Unpack<ProxyProtocol>(filter.TypedConfig, scope);
        return settings is null ? filters : filters with
        {
            ProxyProtocol = true,
            AllowWithoutProxyProtocol = settings.AllowRequestsWithoutProxyProtocol,
            AllowProxyV1 = !settings.DisallowedVersions.Contains(Core.ProxyProtocolConfig.Types.Version.V1),
            AllowProxyV2 = !settings.DisallowedVersions.Contains(Core.ProxyProtocolConfig.Types.Version.V2),
        };
    }

    private static bool Names<T>(ListenerFilter filter, string name)
        where T : Google.Protobuf.IMessage<T>, new()
        => TypedConfig.Is<T>(filter.TypedConfig) || (filter.TypedConfig is null && filter.Name == "envoy.filters.listener." + name);
}

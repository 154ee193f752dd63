using Google.Protobuf.WellKnownTypes;
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
        if (filter.ConfigTypeCase == ListenerFilter.ConfigTypeOneofCase.ConfigDiscovery)
        {
            return ExtensionDecoder.Place(filter.Name, filter.ConfigDiscovery, static need => need with { IsListenerFilter = true }, scope) is { } place
                ? filters with { Places = filters.Places.Add(new ListenerFilterPlace(place, disabled)) } : filters;
        }

        return Compile(filter.Name, filter.TypedConfig, scope, scope.Field("typed_config")) is { } settings ? settings(filters, disabled) : filters;
    }

    /// <summary>What a listener filter switches on; null with errors.</summary>
    /// <param name="name">The filter's name, which counts where it has no settings.</param>
    /// <param name="typed">Its settings; null for none.</param>
    /// <param name="scope">The filter's place.</param>
    /// <param name="settings">The settings' place.</param>
    public static ListenerFilterSettings? Compile(string name, Any? typed, DecodeScope scope, DecodeScope settings)
    {
        if (Names<TlsInspector>(name, typed, "tls_inspector"))
        {
            return static (filters, disabled) => filters with { TlsInspector = true, TlsInspectorDisabled = disabled };
        }

        if (Names<HttpInspector>(name, typed, "http_inspector"))
        {
            return static (filters, disabled) => filters with { HttpInspector = true, HttpInspectorDisabled = disabled };
        }

        if (Names<OriginalDst>(name, typed, "original_dst"))
        {
            return static (filters, disabled) => filters with { OriginalDestination = true, OriginalDestinationDisabled = disabled };
        }

        if (Names<ProxyProtocol>(name, typed, "proxy_protocol"))
        {
            return ProxyProtocolSettings(typed, settings);
        }

        if (Names<OriginalSrc>(name, typed, "original_src"))
        {
            OriginalSrc? source = typed is null ? new OriginalSrc() : TypedConfig.Unpack<OriginalSrc>(typed, settings);
            return source is null ? null : (filters, disabled) => filters with
            {
                OriginalSource = new OriginalSourceSnapshot(source.Mark, source.BindPort),
                OriginalSourceDisabled = disabled,
            };
        }

        scope.Error($"listener filter '{name}' ({TypedConfig.TypeName(typed)}) is not supported");
        return null;
    }

    private static ListenerFilterSettings? ProxyProtocolSettings(Any? typed, DecodeScope scope)
    {
        ProxyProtocol? settings = typed is null ? new ProxyProtocol() : TypedConfig.Unpack<ProxyProtocol>(typed, scope);
        return settings is null ? null : (filters, disabled) => filters with
        {
            ProxyProtocol = true,
            ProxyProtocolDisabled = disabled,
            AllowWithoutProxyProtocol = settings.AllowRequestsWithoutProxyProtocol,
            AllowProxyV1 = !settings.DisallowedVersions.Contains(Core.ProxyProtocolConfig.Types.Version.V1),
            AllowProxyV2 = !settings.DisallowedVersions.Contains(Core.ProxyProtocolConfig.Types.Version.V2),
        };
    }

    private static bool Names<T>(string given, Any? typed, string name)
        where T : Google.Protobuf.IMessage<T>, new()
        => TypedConfig.Is<T>(typed) || (typed is null && given == "envoy.filters.listener." + name);
}

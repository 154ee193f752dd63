using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;

namespace MeshL4.L4Proxy.Config;

/// <summary>Where a listener has HTTP filters that guard requests, whose chains refuse their connections: shown beside it in /config_dump.</summary>
internal static class HttpFilterPlaces
{
    /// <summary>Field paths within the resource; empty for types without filter chains.</summary>
    public static IEnumerable<string> Of(IMessage resource) => resource is not Listener listener ? [] : listener.FilterChains
        .Select(static (chain, i) => (Chain: chain, Path: $"filter_chains[{i}]"))
        .Append((Chain: listener.DefaultFilterChain, Path: "default_filter_chain"))
        .SelectMany(static one => one.Chain?.Filters.SelectMany((filter, i) => Within(filter, $"{one.Path}.filters[{i}].typed_config")) ?? []);

    private static IEnumerable<string> Within(Filter filter, string path)
        => TypedConfig.Is<HttpConnectionManager>(filter.TypedConfig)
            ? GuardingHttpFilters.PlacesIn(HttpConnectionManager.Parser.ParseFrom(filter.TypedConfig.Value)).Select(place => $"{path}.http_filters[{place}]")
            : [];
}

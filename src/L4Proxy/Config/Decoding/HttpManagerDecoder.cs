using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>http_connection_manager</c> to a hand-off; routes and HTTP filters are the L7 engine's part.</summary>
internal static class HttpManagerDecoder
{
    public static HttpHandoffTerminalSnapshot Decode(HttpConnectionManager manager, DecodeScope scope)
    {
        bool guarded = false;
        foreach (int place in GuardingHttpFilters.PlacesIn(manager))
        {
            guarded = true;
            scope.Item("http_filters", place).WarnOnce(
                "this HTTP filter guards requests and cannot be applied before the hand-off: connections that match this chain, or another with "
                + "such a filter, are closed and counted as http_filter_unsupported");
        }

        return new HttpHandoffTerminalSnapshot
        {
            StatPrefix = manager.StatPrefix,
            AccessLogs = AccessLogDecoder.Decode(manager.AccessLog, scope),
            RouteConfigName = manager.Rds?.RouteConfigName ?? "",
            IsGuarded = guarded,
            Needs = Routes(manager.Rds, scope.Field("rds")),
        };
    }

    /// <summary>Without a source the engine has the routes from elsewhere.</summary>
    private static ImmutableArray<ResourceNeed> Routes(Rds? rds, DecodeScope scope)
    {
        if (rds?.ConfigSource is null)
        {
            return [];
        }

        if (rds.RouteConfigName.Length == 0)
        {
            scope.Field("route_config_name").Error("is required");
        }

        return ResourceNeed.From(TypeUrls.Routes, rds.RouteConfigName, rds.ConfigSource, scope.Field("config_source")) is { } need ? [need] : [];
    }
}

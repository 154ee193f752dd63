using System.Collections.Frozen;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>http_connection_manager</c> to a hand-off; routes and HTTP filters are the L7 engine's part.</summary>
internal static class HttpManagerDecoder
{
    /// <summary>HTTP filters that refuse requests. Leaving one out would open what its author meant to close.</summary>
    private static readonly FrozenSet<string> Guarding = FrozenSet.ToFrozenSet(
    [
        "envoy.filters.http.rbac", "envoy.filters.http.jwt_authn", "envoy.filters.http.ext_authz", "envoy.filters.http.oauth2",
        "envoy.filters.http.basic_auth", "envoy.filters.http.api_key_auth", "envoy.filters.http.ratelimit",
        "envoy.filters.http.local_ratelimit", "envoy.filters.http.rate_limit_quota", "envoy.filters.http.csrf",
    ]);

    public static HttpHandoffTerminalSnapshot Decode(HttpConnectionManager manager, DecodeScope scope)
    {
        for (int i = 0; i < manager.HttpFilters.Count; i++)
        {
            string name = manager.HttpFilters[i].Name;
            if (Guarding.Contains(name) && !manager.HttpFilters[i].Disabled)
            {
                scope.Item("http_filters", i).Error($"'{name}' guards requests and cannot be applied before the hand-off");
            }
        }

        return new HttpHandoffTerminalSnapshot
        {
            StatPrefix = manager.StatPrefix,
            AccessLogs = AccessLogDecoder.Decode(manager.AccessLog, scope),
            RouteConfigName = manager.Rds?.RouteConfigName ?? "",
        };
    }
}

using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>redis_proxy</c>.</summary>
internal static class RedisProxyDecoder
{
    /// <summary>Null with errors in the scope.</summary>
    public static RedisProxySnapshot? Decode(RedisProxy proxy, DecodeScope scope)
    {
        TimeSpan? timeout = scope.Field("settings").PositiveDuration("op_timeout", proxy.Settings?.OpTimeout);
        if (proxy.Settings?.OpTimeout is null)
        {
            scope.Field("settings.op_timeout").Error("is required");
        }

        if (proxy.DownstreamAuthPassword is not null || proxy.DownstreamAuthPasswords.Count > 0 || proxy.DownstreamAuthUsername is not null
            || proxy.ExternalAuthProvider is not null)
        {
            // Serving without the password would open what its author meant to close.
            scope.Error("downstream authentication is not supported");
        }

        Refuse(proxy, scope);
        ImmutableArray<RedisRouteSnapshot> routes = Routes(proxy, scope.Field("prefix_routes"));
        string? catchAll = proxy.PrefixRoutes?.CatchAllRoute?.Cluster;
        if (routes.IsEmpty && string.IsNullOrEmpty(catchAll))
        {
            scope.Field("prefix_routes").Error("a route or a catch_all_route is required");
        }

        return timeout is not { } operation ? null : new RedisProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            OpTimeout = operation,
            Routes = routes,
            CaseInsensitivePrefixes = proxy.PrefixRoutes?.CaseInsensitive ?? false,
            CatchAllCluster = string.IsNullOrEmpty(catchAll) ? null : catchAll,

            // Counters per command are always kept: they are what this filter is for, and cost an increment.
            EnableCommandStats = true,
            LatencyInMicros = proxy.LatencyInMicros,
        };
    }

    /// <summary>What the decoder of the shared model honours, and this runtime does not yet.</summary>
    private static void Refuse(RedisProxy proxy, DecodeScope scope)
    {
        RedisProxy.Types.ConnPoolSettings settings = proxy.Settings ?? new RedisProxy.Types.ConnPoolSettings();
        IEnumerable<RedisProxy.Types.PrefixRoutes.Types.Route> routes = proxy.PrefixRoutes is { } set ? set.Routes.Append(set.CatchAllRoute ?? new()) : [];
        (string Field, bool IsSet)[] later =
        [
            ("faults", proxy.Faults.Count > 0), ("custom_commands", proxy.CustomCommands.Count > 0),
            ("settings.enable_hashtagging", settings.EnableHashtagging), ("settings.enable_redirection", settings.EnableRedirection),
            ("settings.read_policy", settings.ReadPolicy != default), ("settings.connection_rate_limit", settings.ConnectionRateLimit is not null),
            ("prefix_routes.routes.request_mirror_policy", routes.Any(static route => route.RequestMirrorPolicy.Count > 0)),
            ("prefix_routes.routes.read_command_policy", routes.Any(static route => route.ReadCommandPolicy is not null)),
            ("prefix_routes.routes.key_formatter", routes.Any(static route => route.KeyFormatter.Length > 0)),
        ];
        foreach ((string field, _) in later.Where(static one => one.IsSet))
        {
            scope.Field(field).Error("is not supported by this proxy");
        }
    }

    private static ImmutableArray<RedisRouteSnapshot> Routes(RedisProxy proxy, DecodeScope scope)
    {
        var routes = ImmutableArray.CreateBuilder<RedisRouteSnapshot>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < (proxy.PrefixRoutes?.Routes.Count ?? 0); i++)
        {
            RedisProxy.Types.PrefixRoutes.Types.Route route = proxy.PrefixRoutes!.Routes[i];
            DecodeScope at = scope.Item("routes", i);
            if (route.Cluster.Length == 0)
            {
                at.Field("cluster").Error("is required");
            }

            if (!seen.Add(route.Prefix))
            {
                at.Field("prefix").Error($"'{route.Prefix}' stands in an earlier route too");
            }

            routes.Add(new RedisRouteSnapshot(route.Prefix, route.RemovePrefix, route.Cluster));
        }

        return routes.ToImmutable();
    }
}

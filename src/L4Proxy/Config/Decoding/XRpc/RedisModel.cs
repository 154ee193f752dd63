using System.Collections.Immutable;
using System.Text;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Redis;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using ReadPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3.RedisProxy.Types.ConnPoolSettings.Types.ReadPolicy;
using RedisRoute = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3.RedisProxy.Types.PrefixRoutes.Types.Route;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Envoy's <c>redis_proxy</c> in the terms of every RPC protocol. A field that is not honoured is refused by its name.</summary>
internal static class RedisModel
{
    private const string FaultMessage = "Fault Injected: Error";

    /// <summary>Envoy's bound.</summary>
    private const int MostPrefixBytes = 1000;

    private static readonly CodecVocabulary Vocabulary = new(RespCodec.Traits);

    /// <summary>Null with errors in the scope.</summary>
    public static XRpcProxySnapshot? Decode(RedisProxy proxy, DecodeScope scope)
    {
        RedisProxy.Types.ConnPoolSettings settings = proxy.Settings ?? new RedisProxy.Types.ConnPoolSettings();
        TimeSpan? timeout = OpTimeout(settings, scope.Field("settings"));
        Refuse(proxy, settings, scope);
        var policies = new XRpcPoliciesSnapshot { Timeout = timeout ?? TimeSpan.Zero, TimeoutPerAnswer = true, Faults = Faults(proxy.Faults, scope), FaultsAddUp = true };
        var routes = new XRpcRouteTable(Routes(proxy, policies, scope.Field("prefix_routes")), proxy.PrefixRoutes?.CaseInsensitive ?? false);
        return timeout is null ? null : new XRpcProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            Codec = RespCodec.Traits.Name,
            Routes = new XRpcRouteCell(routes),
            Authentication = Authentication(proxy, scope),
            Upstream = new XRpcUpstreamSnapshot { MaxConnectsPerSecond = ConnectionRate(settings, scope.Field("settings.connection_rate_limit")) },
            LatencyInMicros = proxy.LatencyInMicros,
            Redis = new XRpcRedisSnapshot { HashTags = settings.EnableHashtagging, CustomCommands = XRpcProxyDecoder.Commands(proxy.CustomCommands, scope, static (at, words) => at.Warn(words)) },
        };
    }

    private static TimeSpan? OpTimeout(RedisProxy.Types.ConnPoolSettings settings, DecodeScope scope)
    {
        if (settings.OpTimeout is null)
        {
            scope.Field("op_timeout").Error("is required");
        }

        return scope.PositiveDuration("op_timeout", settings.OpTimeout);
    }

    private static void Refuse(RedisProxy proxy, RedisProxy.Types.ConnPoolSettings settings, DecodeScope scope)
    {
        if (proxy.StatPrefix.Length == 0)
        {
            scope.Field("stat_prefix").Error("is required");
        }

        if (settings.EnableRedirection)
        {
            scope.Field("settings.enable_redirection").Error("following MOVED and ASK needs Redis Cluster, which is not supported");
        }

        if (settings.ReadPolicy != ReadPolicy.Master)
        {
            scope.Field("settings.read_policy").Error($"{settings.ReadPolicy} needs Redis Cluster, which is not supported; a route's read_command_policy sends reads to another cluster");
        }

        if (proxy.ExternalAuthProvider is not null)
        {
            // Serving without it would open what its author meant to close.
            scope.Field("external_auth_provider").Error("is not supported");
        }
    }

    private static XRpcAuthenticationSnapshot? Authentication(RedisProxy proxy, DecodeScope scope)
    {
        var passwords = new RepeatedField<Core.DataSource>();
        if (proxy.DownstreamAuthPasswords.Count > 0)
        {
            passwords.AddRange(proxy.DownstreamAuthPasswords);
        }
        else if (proxy.DownstreamAuthPassword is { } single)
        {
            passwords.Add(single);
        }

        return passwords.Count == 0 && proxy.DownstreamAuthUsername is null
            ? null
            : XRpcProxyDecoder.Authentication(proxy.DownstreamAuthUsername, passwords, scope, "downstream_auth_passwords");
    }

    private static int ConnectionRate(RedisProxy.Types.ConnPoolSettings settings, DecodeScope scope)
    {
        if (settings.ConnectionRateLimit is not { } limit)
        {
            return 0;
        }

        if (limit.ConnectionRateLimitPerSec == 0)
        {
            scope.Field("connection_rate_limit_per_sec").Error("must be at least 1");
        }

        return (int)Math.Min(limit.ConnectionRateLimitPerSec, int.MaxValue);
    }

    private static ImmutableArray<XRpcRouteSnapshot> Routes(RedisProxy proxy, XRpcPoliciesSnapshot policies, DecodeScope scope)
    {
        var routes = ImmutableArray.CreateBuilder<XRpcRouteSnapshot>();
        var seen = new HashSet<string>(proxy.PrefixRoutes?.CaseInsensitive == true ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);
        for (int i = 0; i < (proxy.PrefixRoutes?.Routes.Count ?? 0); i++)
        {
            RedisRoute route = proxy.PrefixRoutes!.Routes[i];
            if (!seen.Add(route.Prefix))
            {
                scope.Item("routes", i).Field("prefix").Error($"'{route.Prefix}' stands in an earlier route too");
            }

            routes.Add(Route(route, route.Prefix, policies, scope.Item("routes", i)));
        }

        if (proxy.PrefixRoutes?.CatchAllRoute is { } last && seen.Add(""))
        {
            routes.Add(Route(last, "", policies, scope.Field("catch_all_route")));
        }

        if (routes.Count == 0)
        {
            scope.Error("a route or a catch_all_route is required");
        }

        return routes.ToImmutable();
    }

    private static XRpcRouteSnapshot Route(RedisRoute route, string prefix, XRpcPoliciesSnapshot policies, DecodeScope scope)
    {
        if (route.Cluster.Length == 0)
        {
            scope.Field("cluster").Error("is required");
        }

        if (route.ReadCommandPolicy is { Cluster.Length: 0 })
        {
            scope.Field("read_command_policy.cluster").Error("is required");
        }

        if (Encoding.UTF8.GetByteCount(prefix) is > MostPrefixBytes and var bytes)
        {
            scope.Field("prefix").Error($"has {bytes} bytes; at most {MostPrefixBytes} may be given");
        }

        if (route.KeyFormatter.Length > 0)
        {
            scope.Field("key_formatter").Error("is not supported; remove_prefix is");
        }

        return new XRpcRouteSnapshot
        {
            Name = prefix.Length > 0 ? prefix : "catch_all",
            IsNamed = true,
            Match = new XRpcMatchSnapshot { KeyPrefix = Encoding.UTF8.GetBytes(prefix) },
            Clusters = [new WeightedClusterSnapshot(route.Cluster, 1)],
            TotalWeight = 1,
            ReadCluster = route.ReadCommandPolicy?.Cluster is { Length: > 0 } reads ? reads : null,
            RemoveKeyPrefix = route.RemovePrefix && prefix.Length > 0,
            Policies = policies with { Mirrors = Mirrors(route.RequestMirrorPolicy, scope) },
        };
    }

    private static ImmutableArray<XRpcMirrorSnapshot> Mirrors(RepeatedField<RedisRoute.Types.RequestMirrorPolicy> mirrors, DecodeScope scope) => [.. mirrors.Select((mirror, i) =>
    {
        DecodeScope at = scope.Item("request_mirror_policy", i);
        if (mirror.Cluster.Length == 0)
        {
            at.Field("cluster").Error("is required");
        }

        return new XRpcMirrorSnapshot(mirror.Cluster, ShareDecoder.Decode(mirror.RuntimeFraction, at.Field("runtime_fraction")), mirror.ExcludeReadCommands);
    })];

    /// <summary>Those of a command go before those for all.</summary>
    private static ImmutableArray<XRpcFaultSnapshot> Faults(RepeatedField<RedisProxy.Types.RedisFault> faults, DecodeScope scope) => [.. faults.Select((fault, i) =>
    {
        DecodeScope at = scope.Item("faults", i);
        bool isError = fault.FaultType == RedisProxy.Types.RedisFault.Types.RedisFaultType.Error;
        if (fault.FaultEnabled is null)
        {
            at.Field("fault_enabled").Error("is required");
        }

        if (!isError && fault.Delay is null)
        {
            at.Field("delay").Error("is required for a DELAY");
        }

        return new XRpcFaultSnapshot(
            ShareDecoder.Decode(fault.FaultEnabled, at.Field("fault_enabled")),
            XRpcRoutesDecoder.Methods(fault.Commands, Vocabulary, at, "commands"),
            at.Duration("delay", fault.Delay) ?? TimeSpan.Zero,
            isError ? FaultMessage : null);
    }).OrderBy(static fault => fault.Methods.IsEmpty)];
}

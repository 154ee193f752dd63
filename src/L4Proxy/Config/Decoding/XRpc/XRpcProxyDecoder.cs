using System.Collections.Immutable;
using System.Text;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Compiles <c>meshl4.xrpc.v1.XRpcProxy</c>.</summary>
internal static class XRpcProxyDecoder
{
    /// <summary>Null with errors in the scope.</summary>
    public static XRpcProxySnapshot? Decode(XRpcProxy proxy, DecodeScope scope)
    {
        if (proxy.StatPrefix.Length == 0)
        {
            scope.Field("stat_prefix").Error("is required");
        }

        CodecTraits? traits = KnownCodecs.Find(proxy.Codec);
        if (traits is null)
        {
            scope.Field("codec").Error($"'{proxy.Codec}' is no codec of this build, which has {string.Join(", ", KnownCodecs.Names)}");
        }

        if (proxy.Upstream?.Credentials is not null && proxy.Codec != RespCodec.Traits.Name)
        {
            scope.Field("upstream.credentials").Error($"'{proxy.Codec}' has no login: nothing would present them");
        }

        if (proxy.Authentication is not null && proxy.Codec != RespCodec.Traits.Name)
        {
            scope.Field("authentication").Error($"'{proxy.Codec}' has no login: nobody would be asked");
        }

        var codec = new CodecVocabulary(traits);
        XRpcPoliciesSnapshot defaults = XRpcPoliciesDecoder.Decode(proxy.Policies, XRpcPoliciesSnapshot.None, codec, scope.Field("policies"));
        XRpcRouteCell routes = Routes(proxy, codec, defaults, scope, out ImmutableArray<ResourceNeed> needs);
        return new XRpcProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            Codec = proxy.Codec,
            Routes = routes,
            Needs = needs,
            IdleTimeout = scope.Duration("idle_timeout", proxy.IdleTimeout) ?? TimeSpan.FromHours(1),
            AccessLogs = AccessLogDecoder.Decode(proxy.AccessLog, scope),
            Limits = Limits(proxy.Limits ?? new Limits(), scope.Field("limits")),
            Authentication = proxy.Authentication is { } login ? Authentication(login.Username, login.Passwords, scope.Field("authentication"), "passwords") : null,
            Upstream = Upstream(proxy.Upstream ?? new UpstreamOptions(), scope.Field("upstream")),
            LatencyInMicros = proxy.LatencyInMicros,
            Redis = Redis(proxy, scope.Field("redis")),
        };
    }

    private static XRpcRedisSnapshot? Redis(XRpcProxy proxy, DecodeScope scope)
    {
        if (proxy.Codec == RespCodec.Traits.Name)
        {
            return new XRpcRedisSnapshot { HashTags = true, CustomCommands = Commands(proxy.Redis?.CustomCommands ?? [], scope, static (at, words) => at.Error(words)) };
        }

        if (proxy.Redis is not null)
        {
            scope.Error($"'{proxy.Codec}' has no such options");
        }

        return null;
    }

    /// <summary>Names as they are compared.</summary>
    /// <param name="names">As configured.</param>
    /// <param name="scope">Place of the field.</param>
    /// <param name="known">Told of a command that the table has, where its keys stand: the name does nothing here.</param>
    public static ImmutableArray<string> Commands(RepeatedField<string> names, DecodeScope scope, Action<DecodeScope, string> known)
    {
        for (int i = 0; i < names.Count; i++)
        {
            if (names[i].Length == 0)
            {
                scope.Item("custom_commands", i).Error("must not be empty");
            }
            else if (RedisCommandTable.Find(Encoding.UTF8.GetBytes(names[i])) != RedisCommandId.Other)
            {
                known(scope.Item("custom_commands", i), $"'{names[i]}' is a command of the server's own, whose keys are known: nothing to add");
            }
        }

        return [.. names.Select(static name => name.ToUpperInvariant())];
    }

    /// <summary>What clients must present; null, with an error, when no password stands there.</summary>
    public static XRpcAuthenticationSnapshot? Authentication(Core.DataSource? username, RepeatedField<Core.DataSource> passwords, DecodeScope scope, string field)
    {
        var decoded = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>(passwords.Count);
        for (int i = 0; i < passwords.Count; i++)
        {
            byte[]? password = DataSourceDecoder.Decode(passwords[i], scope.Item(field, i));
            if (password is { Length: 0 })
            {
                // Whoever presents nothing would be let in.
                scope.Item(field, i).Error("must not be empty");
            }

            decoded.Add(password ?? []);
        }

        if (passwords.Count == 0)
        {
            scope.Field(field).Error("must not be empty");
            return null;
        }

        return new XRpcAuthenticationSnapshot(DataSourceDecoder.Decode(username, scope.Field("username")) ?? [], decoded.ToImmutable());
    }

    private static XRpcRouteCell Routes(
        XRpcProxy proxy, CodecVocabulary codec, XRpcPoliciesSnapshot defaults, DecodeScope scope, out ImmutableArray<ResourceNeed> needs)
    {
        needs = [];
        switch (proxy.RouteSpecifierCase)
        {
            case XRpcProxy.RouteSpecifierOneofCase.RouteConfig:
                return new XRpcRouteCell(Compile(proxy.RouteConfig, scope.Field("route_config"), scope.Field("on_unknown")));
            case XRpcProxy.RouteSpecifierOneofCase.RouteDiscovery:
                var cell = new XRpcRouteCell(new XRpcRouteTable([], false) { RequestLog = defaults.RequestLog }, (routes, at) => Compile(routes, at, at));
                needs = Need(proxy.RouteDiscovery, cell, scope.Field("route_discovery"));
                return cell;
            default:
                scope.Error("route_config or route_discovery is required");
                return new XRpcRouteCell(new XRpcRouteTable([], false));
        }

        XRpcRouteTable Compile(RouteConfig config, DecodeScope at, DecodeScope unknown)
        {
            XRpcRouteTable table = XRpcRoutesDecoder.Decode(config, codec, defaults, at);
            table.UnknownAsTcp = UnknownBytesRule.IsTcp(proxy.OnUnknown, proxy.Authentication is not null, table, unknown);
            return table;
        }
    }

    private static ImmutableArray<ResourceNeed> Need(RouteDiscovery discovery, XRpcRouteCell cell, DecodeScope scope)
    {
        if (discovery.Name.Length == 0)
        {
            scope.Field("name").Error("is required");
        }

        if (discovery.ConfigSource is null)
        {
            scope.Field("config_source").Error("is required");
            return [];
        }

        return ResourceNeed.From(TypeUrls.ExtensionConfig, discovery.Name, discovery.ConfigSource, scope.Field("config_source")) is { } need
            ? [need with { Types = [ExtensionDecoder.RoutesType], Routes = cell }]
            : [];
    }

    private static XRpcLimitsSnapshot Limits(Limits limits, DecodeScope scope)
    {
        if (limits.MaxFrameBytes == 0)
        {
            scope.Field("max_frame_bytes").Error("must be at least 1");
        }

        if (limits.MaxHeadBytes is 0 or > XRpcLimitsSnapshot.MostHeadBytes)
        {
            scope.Field("max_head_bytes").Error($"must be between 1 and {XRpcLimitsSnapshot.MostHeadBytes}");
        }

        var safe = new XRpcLimitsSnapshot();
        return new XRpcLimitsSnapshot
        {
            MaxHeadBytes = (int?)Math.Min(limits.MaxHeadBytes ?? 0, XRpcLimitsSnapshot.MostHeadBytes) is var head and > 0 ? head : null,
            MaxFrameBytes = limits.MaxFrameBytes is { } frame ? (long)Math.Min(frame, long.MaxValue) : null,
            MaxPendingRequests = Whole(limits.MaxPendingRequests, "max_pending_requests", scope) ?? safe.MaxPendingRequests,
            MaxBufferedBytes = Whole(limits.MaxBufferedBytes, "max_buffered_bytes", scope) ?? safe.MaxBufferedBytes,
            SlowReaderTimeout = scope.PositiveDuration("slow_reader_timeout", limits.SlowReaderTimeout) ?? safe.SlowReaderTimeout,
        };
    }

    private static XRpcUpstreamSnapshot Upstream(UpstreamOptions options, DecodeScope scope)
    {
        var safe = new XRpcUpstreamSnapshot();
        return new XRpcUpstreamSnapshot
        {
            ConnectionsPerEndpoint = Whole(options.ConnectionsPerEndpoint, "connections_per_endpoint", scope) ?? safe.ConnectionsPerEndpoint,
            MaxPinnedConnections = Whole(options.MaxPinnedConnections, "max_pinned_connections", scope) ?? safe.MaxPinnedConnections,
            Credentials = options.Credentials is { } login ? Credentials(login.Username, login.Password, scope.Field("credentials")) : null,
            IdleTimeout = scope.PositiveDuration("idle_timeout", options.IdleTimeout) ?? safe.IdleTimeout,
            HealthCheckInterval = Interval(options.HealthCheckInterval, scope),
        };
    }

    private static TimeSpan Interval(Duration? value, DecodeScope scope)
    {
        if (scope.Duration("health_check_interval", value) is not { } interval)
        {
            return TimeSpan.Zero;
        }

        if (value is not { Seconds: 0, Nanos: 0 } && interval < XRpcUpstreamSnapshot.LeastHealthCheckInterval)
        {
            int least = XRpcUpstreamSnapshot.LeastHealthCheckInterval.Milliseconds;
            scope.Field("health_check_interval").Error($"must be at least {least} ms, as servers are looked at no more often, or 0s for no checks");
        }

        return interval;
    }

    private static XRpcCredentials Credentials(Core.DataSource? username, Core.DataSource? password, DecodeScope scope)
    {
        byte[]? secret = DataSourceDecoder.Decode(password, scope.Field("password"));
        if (secret is { Length: 0 })
        {
            // Nothing would be presented.
            scope.Field("password").Error("must not be empty");
        }

        return new XRpcCredentials(DataSourceDecoder.Decode(username, scope.Field("username")) ?? [], secret ?? []);
    }

    private static int? Whole(uint? value, string field, DecodeScope scope)
    {
        if (value is 0 or > int.MaxValue)
        {
            scope.Field(field).Error($"must be between 1 and {int.MaxValue}");
        }

        return value is { } some ? (int)Math.Min(some, int.MaxValue) : null;
    }
}

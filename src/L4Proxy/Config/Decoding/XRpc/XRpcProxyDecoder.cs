using System.Collections.Immutable;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;
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

        var codec = new CodecVocabulary(traits);
        XRpcPoliciesSnapshot defaults = XRpcPoliciesDecoder.Decode(proxy.Policies, XRpcPoliciesSnapshot.None, codec, scope.Field("policies"));
        XRpcRouteTable routes = Routes(proxy, codec, defaults, scope);
        routes.UnknownAsTcp = UnknownBytesRule.IsTcp(proxy.OnUnknown, routes, scope.Field("on_unknown"));
        return new XRpcProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            Codec = proxy.Codec,
            Routes = new XRpcRouteCell(routes),
            IdleTimeout = scope.Duration("idle_timeout", proxy.IdleTimeout) ?? TimeSpan.FromHours(1),
            AccessLogs = AccessLogDecoder.Decode(proxy.AccessLog, scope),
            Limits = Limits(proxy.Limits ?? new Limits(), scope.Field("limits")),
            Authentication = proxy.Authentication is { } login ? Authentication(login.Username, login.Passwords, scope.Field("authentication"), "passwords") : null,
            Upstream = Upstream(proxy.Upstream ?? new UpstreamOptions(), scope.Field("upstream")),
        };
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

    private static XRpcRouteTable Routes(XRpcProxy proxy, CodecVocabulary codec, XRpcPoliciesSnapshot defaults, DecodeScope scope)
    {
        switch (proxy.RouteSpecifierCase)
        {
            case XRpcProxy.RouteSpecifierOneofCase.RouteConfig:
                return XRpcRoutesDecoder.Decode(proxy.RouteConfig, codec, defaults, scope.Field("route_config"));
            case XRpcProxy.RouteSpecifierOneofCase.RouteDiscovery:
                scope.Field("route_discovery").Error("routes by ECDS are not supported yet: give them in route_config");
                break;
            default:
                scope.Error("route_config is required");
                break;
        }

        return new XRpcRouteTable([], false);
    }

    private static XRpcLimitsSnapshot Limits(Limits limits, DecodeScope scope)
    {
        var safe = new XRpcLimitsSnapshot();
        return new XRpcLimitsSnapshot
        {
            MaxHeadBytes = limits.MaxHeadBytes is { } head ? Whole(head, "max_head_bytes", scope) : null,
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
            HealthCheckInterval = scope.Duration("health_check_interval", options.HealthCheckInterval) ?? TimeSpan.Zero,
        };
    }

    private static XRpcCredentials Credentials(Core.DataSource? username, Core.DataSource? password, DecodeScope scope) => new(
        DataSourceDecoder.Decode(username, scope.Field("username")) ?? [], DataSourceDecoder.Decode(password, scope.Field("password")) ?? []);

    private static int? Whole(uint? value, string field, DecodeScope scope)
    {
        if (value is 0 or > int.MaxValue)
        {
            scope.Field(field).Error($"must be between 1 and {int.MaxValue}");
        }

        return value is { } some ? (int)Math.Min(some, int.MaxValue) : null;
    }
}

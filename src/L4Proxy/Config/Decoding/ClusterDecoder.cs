using System.Collections.Immutable;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Decoding.XRpc;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using LoadBalancingPolicy = MeshL4.L4Proxy.Config.Snapshots.LoadBalancingPolicy;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Decodes <c>envoy.config.cluster.v3.Cluster</c>.</summary>
internal static class ClusterDecoder
{
    private static readonly ClusterState Placeholder = new("");

    /// <summary>Errors in the scope say whether the result may be used.</summary>
    public static ClusterConfig Decode(Cluster cluster, DecodeScope scope)
    {
        DiscoveryConfig discovery = DiscoveryDecoder.Decode(cluster, scope);
        ImmutableArray<EndpointConfig> endpoints = Endpoints(cluster, discovery.Type, scope);
        ImmutableArray<SocketMatchConfig> matches = SocketMatches(cluster, scope);
        ClusterSnapshot template = Compile(cluster, discovery, endpoints, scope);
        ClusterFilterDecoder.Check(cluster, scope);
        LaterClusterFields.Check(cluster, scope);
        return new ClusterConfig
        {
            // An original destination has no metadata, so that the first match without criteria is its own.
            Template = discovery.Type == ClusterDiscovery.OriginalDestination && matches.FirstOrDefault(match => match.Criteria.Fields.Count == 0) is { } any
                ? template with { RequiresTls = any.RequiresTls }
                : template,
            Endpoints = endpoints,
            SocketMatches = matches,
            EdsFile = discovery.EdsFile,
            EdsStream = discovery.EdsStream,
            Secrets = Secrets(cluster, scope),
        };
    }

    private static ImmutableArray<ResourceNeed> Secrets(Cluster cluster, DecodeScope scope)
    {
        ImmutableArray<ResourceNeed> own = TlsSecretsDecoder.Of(cluster.TransportSocket?.TypedConfig, scope.Field("transport_socket.typed_config"));
        return cluster.TransportSocketMatches.Count == 0 ? own :
        [
            .. own, .. cluster.TransportSocketMatches.SelectMany((match, i) => TlsSecretsDecoder.Of(
                match.TransportSocket?.TypedConfig, scope.Item("transport_socket_matches", i).Field("transport_socket.typed_config"))),
        ];
    }

    private static ClusterSnapshot Compile(
        Cluster cluster, DiscoveryConfig discovery, ImmutableArray<EndpointConfig> endpoints, DecodeScope scope)
    {
        LoadBalancingConfig balancing = LoadBalancingDecoder.Decode(cluster, scope);
        LoadBalancingPolicy policy = balancing.Policy;
        if (policy == LoadBalancingPolicy.ClusterProvided && discovery.Type != ClusterDiscovery.OriginalDestination)
        {
            scope.Field("lb_policy").Error("CLUSTER_PROVIDED is for ORIGINAL_DST clusters only");
        }

        (System.Net.IPEndPoint? v4, System.Net.IPEndPoint? v6) = BindConfigDecoder.Decode(cluster.UpstreamBindConfig, scope.Field("upstream_bind_config"));
        return new ClusterSnapshot
        {
            Name = cluster.Name,
            Discovery = discovery.Type,
            Policy = discovery.Type == ClusterDiscovery.OriginalDestination ? LoadBalancingPolicy.ClusterProvided : policy,
            LeastRequestChoices = balancing.Choices,
            HashTableSize = balancing.HashTableSize,
            LocalityWeighted = balancing.LocalityWeighted,
            HealthyPanicThreshold = PanicThreshold(cluster.CommonLbConfig?.HealthyPanicThreshold, scope),
            ConnectTimeout = scope.PositiveDuration("connect_timeout", cluster.ConnectTimeout) ?? TimeSpan.FromSeconds(5),
            DnsTargets = [.. endpoints.Where(endpoint => endpoint.Host.Length > 0).Select(endpoint => new DnsTargetSnapshot(endpoint.Host, endpoint.Port, endpoint.Weight))],
            DnsRefresh = discovery.DnsRefresh,
            DnsFamily = discovery.DnsFamily,
            EdsSource = discovery.EdsFile?.Path ?? (discovery.EdsStream is { } stream ? Interned<string>.Of(stream.SourceOf(TypeUrls.Endpoints)) : ""),
            EdsServiceName = cluster.EdsClusterConfig?.ServiceName is { Length: > 0 } service ? service : cluster.Name,
            OriginalDestinationPort = (int?)cluster.OriginalDstLbConfig?.UpstreamPortOverride,
            Limits = Limits(cluster),
            BindV4 = v4,
            BindV6 = v6,
            Keepalive = Keepalive(cluster.UpstreamConnectionOptions?.TcpKeepalive),
            Login = RedisProtocolOptionsDecoder.Login(cluster, scope.Field("typed_extension_protocol_options")),
            RequiresTls = TransportSocketDecoder.Upstream(cluster.TransportSocket, scope.Field("transport_socket")),
            State = Placeholder,
        };
    }

    private static ImmutableArray<EndpointConfig> Endpoints(Cluster cluster, ClusterDiscovery type, DecodeScope scope)
    {
        DecodeScope at = scope.Field("load_assignment");
        if (cluster.LoadAssignment is null)
        {
            return [];
        }

        if (type is ClusterDiscovery.Eds or ClusterDiscovery.OriginalDestination)
        {
            at.Error("not allowed: endpoints of this cluster type are discovered");
            return [];
        }

        bool dns = type is ClusterDiscovery.StrictDns or ClusterDiscovery.LogicalDns;
        ImmutableArray<EndpointConfig> endpoints = EndpointsDecoder.Decode(cluster.LoadAssignment, dns, at);
        if (type == ClusterDiscovery.LogicalDns && endpoints.Length != 1)
        {
            at.Error("a LOGICAL_DNS cluster has exactly one endpoint");
        }

        return endpoints;
    }

    private static int PanicThreshold(Protos.Envoy.Type.V3.Percent? threshold, DecodeScope scope)
    {
        if (threshold?.Value is < 0 or > 100 or double.NaN)
        {
            scope.Field("common_lb_config.healthy_panic_threshold").Error("must be between 0 and 100");
        }

        return threshold is null ? 50 : (int)Math.Clamp(Math.Ceiling(threshold.Value), 0, 100);
    }

    private static CircuitBreakerLimits Limits(Cluster cluster)
    {
        CircuitBreakerLimits limits = CircuitBreakerLimits.Default;
        CircuitBreakers.Types.Thresholds? set = cluster.CircuitBreakers?.Thresholds.FirstOrDefault(one => one.Priority == Core.RoutingPriority.Default);
        return set is null ? limits : Interned<CircuitBreakerLimits>.Of(new(
            set.MaxConnections ?? limits.MaxConnections, set.MaxPendingRequests ?? limits.MaxPendingRequests,
            set.MaxRequests ?? limits.MaxRequests, set.MaxRetries ?? limits.MaxRetries)
        {
            LimitsRequests = set.MaxRequests is < uint.MaxValue,
        });
    }

    private static TcpKeepaliveSnapshot? Keepalive(Core.TcpKeepalive? keepalive) => keepalive is null ? null : Interned<TcpKeepaliveSnapshot>.Of(new(
        Whole(keepalive.KeepaliveProbes), Whole(keepalive.KeepaliveTime), Whole(keepalive.KeepaliveInterval)));

    private static int? Whole(uint? value) => value is { } some ? (int)Math.Min(some, int.MaxValue) : null;

    private static ImmutableArray<SocketMatchConfig> SocketMatches(Cluster cluster, DecodeScope scope)
    {
        var matches = ImmutableArray.CreateBuilder<SocketMatchConfig>(cluster.TransportSocketMatches.Count);
        for (int i = 0; i < cluster.TransportSocketMatches.Count; i++)
        {
            Cluster.Types.TransportSocketMatch match = cluster.TransportSocketMatches[i];
            bool tls = TransportSocketDecoder.Upstream(match.TransportSocket, scope.Item("transport_socket_matches", i).Field("transport_socket"));
            matches.Add(Interned<SocketMatchConfig>.Of(new(match.Match ?? new(), tls)));
        }

        return matches.ToImmutable();
    }
}

using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Decodes <c>ClusterLoadAssignment</c>, inline or from EDS.</summary>
internal static class EndpointsDecoder
{
    /// <summary>All endpoints in order. For DNS clusters (<paramref name="hostNames"/>) addresses may be names.</summary>
    public static ImmutableArray<EndpointConfig> Decode(ClusterLoadAssignment assignment, bool hostNames, DecodeScope scope)
    {
        var endpoints = ImmutableArray.CreateBuilder<EndpointConfig>();
        uint overprovisioning = Overprovisioning(assignment.Policy, scope.Field("policy.overprovisioning_factor"));
        for (int l = 0; l < assignment.Endpoints.Count; l++)
        {
            LocalityLbEndpoints locality = assignment.Endpoints[l];
            DecodeScope at = scope.Item("endpoints", l);
            if (locality.Priority > 128)
            {
                at.Field("priority").Error($"{locality.Priority} is above 128");
            }

            EndpointGroup group = Interned<EndpointGroup>.Of(new(locality.Priority, l, locality.LoadBalancingWeight ?? 0, overprovisioning));
            for (int e = 0; e < locality.LbEndpoints.Count; e++)
            {
                if (DecodeOne(locality.LbEndpoints[e], group, hostNames, at.Item("lb_endpoints", e)) is { } endpoint)
                {
                    endpoints.Add(endpoint);
                }
            }
        }

        return endpoints.ToImmutable();
    }

    private static uint Overprovisioning(ClusterLoadAssignment.Types.Policy? policy, DecodeScope scope)
    {
        if (policy?.OverprovisioningFactor == 0)
        {
            scope.Error("must be greater than zero");
        }

        return policy?.OverprovisioningFactor ?? EndpointGroup.DefaultOverprovisioning;
    }

    private static EndpointConfig? DecodeOne(LbEndpoint endpoint, EndpointGroup group, bool hostNames, DecodeScope scope)
    {
        if (endpoint.LoadBalancingWeight == 0)
        {
            scope.Field("load_balancing_weight").Error("must be at least 1");
        }

        if (endpoint.Endpoint is not { } host)
        {
            scope.Field("endpoint").Error("is required (named endpoints are not supported)");
            return null;
        }

        DecodeScope address = scope.Field("endpoint.address");
        var common = new EndpointConfig(
            null, "", 0, host.Hostname, endpoint.LoadBalancingWeight ?? 1, Health(endpoint.HealthStatus), group, SocketMatch(endpoint.Metadata));
        if (hostNames)
        {
            return Named(common, host.Address?.SocketAddress, address.Field("socket_address"));
        }

        return AddressDecoder.Decode(host.Address, address) is { } known ? common with { Address = known } : null;
    }

    private static EndpointConfig? Named(EndpointConfig common, Core.SocketAddress? address, DecodeScope scope)
    {
        if (address is null || address.Address.Length is 0 or > 253)
        {
            scope.Field("address").Error("a host name of 1 to 253 characters, or an IP address, is required");
            return null;
        }

        return AddressDecoder.DecodePort(address, scope) is { } port ? common with { Host = address.Address, Port = port } : null;
    }

    private static Struct? SocketMatch(Core.Metadata? metadata)
        => metadata is not null && metadata.FilterMetadata.TryGetValue("envoy.transport_socket_match", out Struct? match) ? Interned<Struct>.Of(match) : null;

    private static EndpointHealth Health(Core.HealthStatus status) => status switch
    {
        Core.HealthStatus.Healthy => EndpointHealth.Healthy,
        Core.HealthStatus.Unhealthy => EndpointHealth.Unhealthy,
        Core.HealthStatus.Draining => EndpointHealth.Draining,
        Core.HealthStatus.Timeout => EndpointHealth.Timeout,
        Core.HealthStatus.Degraded => EndpointHealth.Degraded,
        _ => EndpointHealth.Unknown,
    };
}

using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>From endpoints as configured to those balancing chooses from.</summary>
internal static class EndpointSelection
{
    /// <summary>
    /// Meets the endpoints with their live state, and chooses each one's transport socket as Envoy does: the first match all of
    /// whose criteria the endpoint's metadata has.
    /// </summary>
    public static ImmutableArray<EndpointSnapshot> Compile(ClusterConfig cluster, ImmutableArray<EndpointConfig> endpoints, ClusterState state)
    {
        var compiled = ImmutableArray.CreateBuilder<EndpointSnapshot>(endpoints.Length);
        Struct? metadata = null;
        bool requiresTls = RequiresTls(cluster, null);
        foreach (EndpointConfig endpoint in endpoints)
        {
            if (endpoint.Address is null)
            {
                continue;
            }

            // Endpoints of a cluster have the same metadata, and equal metadata is one object.
            if (!ReferenceEquals(metadata, endpoint.SocketMatch))
            {
                (metadata, requiresTls) = (endpoint.SocketMatch, RequiresTls(cluster, endpoint.SocketMatch));
            }

            compiled.Add(new EndpointSnapshot(endpoint.Address, endpoint.Hostname, endpoint.Weight, endpoint.Health, state.Endpoint(endpoint.Address))
            {
                Group = endpoint.Group,
                RequiresTls = requiresTls,
            });
        }

        return compiled.DrainToImmutable();
    }

    private static bool RequiresTls(ClusterConfig cluster, Struct? metadata) =>
        cluster.SocketMatches.FirstOrDefault(candidate => Holds(candidate.Criteria, metadata))?.RequiresTls ?? cluster.Template.RequiresTls;

    private static bool Holds(Struct criteria, Struct? metadata)
        => criteria.Fields.All(wanted => metadata is not null && metadata.Fields.TryGetValue(wanted.Key, out Value? has) && has.Equals(wanted.Value));
}

using System.Collections.Immutable;
using System.Net;
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
    /// <param name="cluster">Has the criteria.</param>
    /// <param name="endpoints">As configured.</param>
    /// <param name="state">Has the live state of each address.</param>
    /// <param name="running">Those balancing chooses from until now: what is compiled to the same stays the same object.</param>
    public static ImmutableArray<EndpointSnapshot> Compile(
        ClusterConfig cluster, ImmutableArray<EndpointConfig> endpoints, ClusterState state, ImmutableArray<EndpointSnapshot> running)
    {
        int next = 0;
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

            EndpointState live = state.Endpoint(endpoint.Address);
            int at = Running(running, next, endpoint.Address);
            next = at < 0 ? next : at + 1;
            compiled.Add(at >= 0 && IsSame(running[at], endpoint, live, requiresTls) ? running[at]
                : new EndpointSnapshot(endpoint.Address, endpoint.Hostname, endpoint.Weight, endpoint.Health, live) { Group = endpoint.Group, RequiresTls = requiresTls });
        }

        return compiled.DrainToImmutable();
    }

    /// <summary>Index of the running endpoint of an address, which is one object for as long as the endpoint stays; -1 for none.</summary>
    private static int Running(ImmutableArray<EndpointSnapshot> running, int from, EndPoint address)
    {
        for (int i = from; i < running.Length && i < from + EndpointContinuity.Reach; i++)
        {
            if (ReferenceEquals(running[i].Address, address))
            {
                return i;
            }
        }

        return -1;
    }

    private static bool IsSame(EndpointSnapshot running, EndpointConfig endpoint, EndpointState live, bool requiresTls)
        => running.State == live && running.Hostname == endpoint.Hostname && running.Weight == endpoint.Weight && running.Health == endpoint.Health
            && running.Group == endpoint.Group && running.RequiresTls == requiresTls;

    private static bool RequiresTls(ClusterConfig cluster, Struct? metadata) =>
        cluster.SocketMatches.FirstOrDefault(candidate => Holds(candidate.Criteria, metadata))?.RequiresTls ?? cluster.Template.RequiresTls;

    private static bool Holds(Struct criteria, Struct? metadata)
        => criteria.Fields.All(wanted => metadata is not null && metadata.Fields.TryGetValue(wanted.Key, out Value? has) && has.Equals(wanted.Value));
}

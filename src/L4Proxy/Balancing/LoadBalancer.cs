using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// Picks the endpoint of a connection. Policies as Envoy's, with two departures: least_request with unequal weights
/// draws its candidates by weight and compares connections per weight (Envoy keeps a locked scheduler, which loops
/// would have to share), and original_dst keeps no host table. No allocation but the endpoint made for original_dst.
/// </summary>
internal static class LoadBalancer
{
    /// <summary>The endpoint to connect to; null means no healthy upstream (UH).</summary>
    public static EndpointSnapshot? Pick(ClusterSnapshot cluster, in PickContext context)
    {
        if (cluster.Discovery == ClusterDiscovery.OriginalDestination)
        {
            return FromOriginalDestination(cluster, context.OriginalDestination);
        }

        EndpointSet set = EndpointSet.For(cluster);
        return set.Members.Length switch
        {
            0 => null,
            1 => set.Members[0],
            _ => cluster.Policy switch
            {
                LoadBalancingPolicy.LeastRequest => LeastLoaded(set, cluster.LeastRequestChoices, context),
                LoadBalancingPolicy.Random => Untried(set, context.Random.Next(set.Members.Length), context),
                _ => NextInTurn(set, cluster.State.NextCursor(), context),
            },
        };
    }

    private static EndpointSnapshot? FromOriginalDestination(ClusterSnapshot cluster, IPEndPoint? destination)
    {
        int port = cluster.OriginalDestinationPort ?? destination?.Port ?? 0;
        if (destination is null || port == 0)
        {
            return null;
        }

        IPEndPoint address = port == destination.Port ? destination : new IPEndPoint(destination.Address, port);
        return new EndpointSnapshot(address, "", 1, EndpointHealth.Unknown, new EndpointState(address));
    }

    private static EndpointSnapshot NextInTurn(EndpointSet set, uint cursor, in PickContext context)
    {
        int[] order = set.Schedule;
        int start = (int)(cursor % (uint)order.Length);
        for (int i = 0; i < order.Length && !context.Tried.IsEmpty; i++)
        {
            EndpointSnapshot candidate = set.Members[order[(start + i) % order.Length]];
            if (!context.WasTried(candidate))
            {
                return candidate;
            }
        }

        return set.Members[order[start]];
    }

    /// <summary>Power of N choices: the draw with the fewest connections per weight; the first drawn wins a tie, so an idle cluster is shared by weight.</summary>
    private static EndpointSnapshot LeastLoaded(EndpointSet set, int choices, in PickContext context)
    {
        EndpointSnapshot? best = null;
        for (int i = 0; i < Math.Max(choices, 1); i++)
        {
            EndpointSnapshot candidate = set.DrawByWeight(context.Random);
            if (!context.WasTried(candidate) && (best is null || IsLessLoaded(candidate, best)))
            {
                best = candidate;
            }
        }

        return best ?? Untried(set, context.Random.Next(set.Members.Length), context);
    }

    private static bool IsLessLoaded(EndpointSnapshot one, EndpointSnapshot other) =>
        one.State.Active * EndpointSet.WeightOf(other) < other.State.Active * EndpointSet.WeightOf(one);

    /// <summary>The first member from <paramref name="start"/> on that was not tried; with all tried, the one at the start.</summary>
    private static EndpointSnapshot Untried(EndpointSet set, int start, in PickContext context)
    {
        for (int i = 0; i < set.Members.Length; i++)
        {
            EndpointSnapshot candidate = set.Members[(start + i) % set.Members.Length];
            if (!context.WasTried(candidate))
            {
                return candidate;
            }
        }

        return set.Members[start];
    }
}

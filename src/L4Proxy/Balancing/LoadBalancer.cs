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

        EndpointSet set = context.OverlooksChecks ? EndpointSet.WithoutChecks(cluster) : EndpointSet.For(cluster);
        if (set.Pools.Length == 0)
        {
            return null;
        }

        EndpointSnapshot picked = FromPool(set.Draw(context), cluster, context);
        return context.WasTried(picked) ? ElsewhereThan(picked, set, context) : picked;
    }

    private static EndpointSnapshot FromPool(EndpointPool pool, ClusterSnapshot cluster, in PickContext context) => pool.Members.Length == 1
        ? pool.Members[0]
        : cluster.Policy switch
        {
            LoadBalancingPolicy.RingHash or LoadBalancingPolicy.Maglev when context.Hash is { } hash => ByKey(pool, hash, context),

            _ when context.IsHome => pool.Home,

            // Plain connections have nothing to hash.
            LoadBalancingPolicy.LeastRequest or LoadBalancingPolicy.RingHash or LoadBalancingPolicy.Maglev => LeastLoaded(pool, cluster.LeastRequestChoices, context),
            LoadBalancingPolicy.Random => Untried(pool, context.Random.Next(pool.Members.Length), context),
            _ => NextInTurn(pool, cluster.State.NextCursor(), context),
        };

    private static EndpointSnapshot ByKey(EndpointPool pool, ulong hash, in PickContext context)
    {
        EndpointSnapshot home = pool.HomeOf(hash);
        return context.WasTried(home) ? Untried(pool, (int)(hash % (ulong)pool.Members.Length), context) : home;
    }

    /// <summary>A pool whose members were all tried: any other pool's member that was not.</summary>
    private static EndpointSnapshot ElsewhereThan(EndpointSnapshot picked, EndpointSet set, in PickContext context)
    {
        foreach (EndpointPool pool in set.Pools)
        {
            EndpointSnapshot candidate = Untried(pool, context.Random.Next(pool.Members.Length), context);
            if (!context.WasTried(candidate))
            {
                return candidate;
            }
        }

        return picked;
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

    private static EndpointSnapshot NextInTurn(EndpointPool pool, uint cursor, in PickContext context)
    {
        int[] order = pool.Schedule;
        int start = (int)(cursor % (uint)order.Length);
        for (int i = 0; i < order.Length && !context.Tried.IsEmpty; i++)
        {
            EndpointSnapshot candidate = pool.Members[order[(start + i) % order.Length]];
            if (!context.WasTried(candidate))
            {
                return candidate;
            }
        }

        return pool.Members[order[start]];
    }

    /// <summary>Power of N choices: the draw with the fewest connections per weight; the first drawn wins a tie, so an idle cluster is shared by weight.</summary>
    private static EndpointSnapshot LeastLoaded(EndpointPool pool, int choices, in PickContext context)
    {
        EndpointSnapshot? best = null;
        for (int i = 0; i < Math.Max(choices, 1); i++)
        {
            EndpointSnapshot candidate = pool.DrawByWeight(context.Random);
            if (!context.WasTried(candidate) && (best is null || IsLessLoaded(candidate, best)))
            {
                best = candidate;
            }
        }

        return best ?? Untried(pool, context.Random.Next(pool.Members.Length), context);
    }

    private static bool IsLessLoaded(EndpointSnapshot one, EndpointSnapshot other) =>
        one.State.Active * EndpointPool.WeightOf(other) < other.State.Active * EndpointPool.WeightOf(one);

    /// <summary>The first member from <paramref name="start"/> on that was not tried; with all tried, the one at the start.</summary>
    private static EndpointSnapshot Untried(EndpointPool pool, int start, in PickContext context)
    {
        for (int i = 0; i < pool.Members.Length; i++)
        {
            EndpointSnapshot candidate = pool.Members[(start + i) % pool.Members.Length];
            if (!context.WasTried(candidate))
            {
                return candidate;
            }
        }

        return pool.Members[start];
    }
}

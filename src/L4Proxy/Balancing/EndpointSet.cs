using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// The endpoints of a cluster snapshot that may be picked, in pools that share the connections by their loads: one for each
/// priority, or for each locality of it where localities are weighted. Immutable: when health checks find another health, there is a new one.
/// </summary>
internal sealed class EndpointSet
{
    // Only of clusters whose servers failed a check.
    private static readonly ConditionalWeakTable<ClusterSnapshot, EndpointSet> Unchecked = new();

    /// <summary>The distance of two neighbouring 53-bit fractions.</summary>
    private const double Unit = 1.0 / (1UL << 53);

    // Upper bound of each pool in the line of loads; empty for a single pool.
    private readonly double[] _bounds;

    private readonly uint _healthVersion;

    private EndpointSet(ClusterSnapshot cluster, bool checks, EndpointSet? before)
    {
        // Read first: what changes meanwhile lays it out again.
        _healthVersion = cluster.State.HealthVersion;
        (EndpointSnapshot[] Members, EndpointSnapshot[] Offered, double Load)[] loaded = [.. PriorityLoads.Of(cluster, checks)
            .Where(static level => level.Load > 0 && level.Members.Length > 0)
            .SelectMany(level => cluster.LocalityWeighted ? ByLocality(level, cluster, checks) : [(level.Members, level.Offered, level.Load)])];
        Pools = [.. loaded.Select(one => new EndpointPool(one.Members, cluster.HashesKeys ? HomesAmong(one.Offered, cluster, before) : null))];
        _bounds = loaded.Length > 1 ? Sums(loaded) : [];
        OnlyTls = Pools.Length == 0 && cluster.Endpoints.Any(static endpoint => endpoint.RequiresTls);
    }

    public EndpointPool[] Pools { get; }

    /// <summary>Nothing can be picked, and TLS is why.</summary>
    public bool OnlyTls { get; }

    /// <summary>The set of a snapshot, laid out on first use and when health changed; any thread.</summary>
    public static EndpointSet For(ClusterSnapshot cluster)
    {
        ref Derived<EndpointSet> place = ref cluster.EndpointSet();
        EndpointSet? set = place.Of(cluster);
        return set is not null && set._healthVersion == cluster.State.HealthVersion ? set : place.Replace(cluster, set, new EndpointSet(cluster, checks: true, set));
    }

    /// <summary>Lays the set of a cluster that is to replace another out before it does: where the other's is in use, no loop has to.</summary>
    public static void Prepare(ClusterSnapshot next, ClusterSnapshot? running)
    {
        if (running?.EndpointSet().Of(running) is not { } used || next.EndpointSet().Of(next) is not null)
        {
            return;
        }

        EndpointSet set = next.EndpointSet().Add(next, new EndpointSet(next, checks: true, used));
        if (used.Pools.Any(static pool => pool.Homes is { IsLaidOut: true }))
        {
            Array.ForEach(set.Pools, static pool => pool.Homes?.LayOut());
        }
    }

    /// <summary>The set as it were if no endpoint failed a health check.</summary>
    public static EndpointSet WithoutChecks(ClusterSnapshot cluster) => cluster.State.HealthVersion == 0
        ? For(cluster) : Unchecked.GetValue(cluster, static c => new EndpointSet(c, checks: false, For(c)));

    /// <summary>One pool, each with a chance in proportion to its load, the same one for equal hashes. The set must not be empty.</summary>
    public EndpointPool Draw(in PickContext context)
    {
        if (_bounds.Length == 0)
        {
            return Pools[0];
        }

        double point = (context.Hash is { } hash ? (StableHash.Again(hash) >> 11) * Unit : context.Random.NextDouble()) * _bounds[^1];
        int at = 0;
        while (at < _bounds.Length - 1 && point >= _bounds[at])
        {
            at++;
        }

        return Pools[at];
    }

    /// <summary>A locality counts by its weight, less the part of its endpoints that is missing beyond what overprovisioning makes up for.</summary>
    private static (EndpointSnapshot[] Members, EndpointSnapshot[] Offered, double Load)[] ByLocality(PriorityLoads.Level level, ClusterSnapshot cluster, bool checks)
    {
        (EndpointSnapshot[] Members, EndpointSnapshot[] Offered, double Weight)[] localities = [.. level.Members
            .GroupBy(static e => e.Group)
            .Select(g => (g.ToArray(), level.Offered.Where(e => e.Group == g.Key).ToArray(),
                g.Key.Weight * (level.InPanic ? 100 : PriorityLoads.Health([.. cluster.Endpoints.Where(e => !e.RequiresTls && e.Group == g.Key)], level.IsDegraded, checks))))];
        double total = localities.Sum(static one => one.Weight);
        return total == 0
            ? [(level.Members, level.Offered, level.Load)]
            : [.. localities.Where(static one => one.Weight > 0).Select(one => (one.Members, one.Offered, level.Load * one.Weight / total))];
    }

    /// <summary>Those of the set before, where the same endpoints are offered.</summary>
    private static KeyHomes HomesAmong(EndpointSnapshot[] offered, ClusterSnapshot cluster, EndpointSet? before)
        => before?.Pools.FirstOrDefault(pool => pool.Homes?.Fits(offered, cluster.Policy, cluster.HashTableSize) == true)?.Homes
            ?? new KeyHomes(offered, cluster.Policy, cluster.HashTableSize);

    private static double[] Sums((EndpointSnapshot[] Members, EndpointSnapshot[] Offered, double Load)[] loaded)
    {
        var sums = new double[loaded.Length];
        double sum = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] = sum += loaded[i].Load;
        }

        return sums;
    }
}

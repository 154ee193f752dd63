using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>Endpoints picked from by the cluster's policy and their own weights. Never empty. Immutable.</summary>
internal sealed class EndpointPool
{
    // Upper bound of each endpoint in the line of weights; empty when all weights are equal.
    private readonly ulong[] _cumulative;
    private ConsistentTable? _table;

    public EndpointPool(EndpointSnapshot[] members)
    {
        Members = members;
        bool uniform = Members.All(m => WeightOf(m) == WeightOf(Members[0]));
        Schedule = uniform ? [.. Enumerable.Range(0, Members.Length)] : WeightedSchedule.Build([.. Members.Select(WeightOf)]);
        _cumulative = uniform ? [] : Sums();
    }

    public EndpointSnapshot[] Members { get; }

    /// <summary>Round robin: indices into <see cref="Members"/>, each as often as its weight says, evenly spread.</summary>
    public int[] Schedule { get; }

    /// <summary>The table of a hashing policy, laid out on first use; any thread, and whichever is there first stays.</summary>
    public ConsistentTable TableFor(ClusterSnapshot cluster) =>
        Volatile.Read(ref _table) ?? Interlocked.CompareExchange(ref _table, Build(cluster), null) ?? _table;

    /// <summary>A weight of zero counts as one, the API's minimum.</summary>
    public static uint WeightOf(EndpointSnapshot endpoint) => Math.Max(endpoint.Weight, 1);

    /// <summary>One member, each with a chance in proportion to its weight.</summary>
    public EndpointSnapshot DrawByWeight(Random random)
    {
        if (_cumulative.Length == 0)
        {
            return Members[random.Next(Members.Length)];
        }

        ulong point = (ulong)random.NextInt64((long)_cumulative[^1]);
        int at = Array.BinarySearch(_cumulative, point + 1);
        return Members[at >= 0 ? at : ~at];
    }

    private ConsistentTable Build(ClusterSnapshot cluster) => ConsistentTable.Build(Members, cluster.Policy, cluster.HashTableSize);

    private ulong[] Sums()
    {
        var sums = new ulong[Members.Length];
        ulong sum = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            sums[i] = sum += WeightOf(Members[i]);
        }

        return sums;
    }
}

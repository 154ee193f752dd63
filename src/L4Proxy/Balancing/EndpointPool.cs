using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>Endpoints picked from by the cluster's policy and their own weights. Never empty. Immutable.</summary>
internal sealed class EndpointPool
{
    // Upper bound of each endpoint in the line of weights; empty when all weights are equal.
    private readonly ulong[] _cumulative;
    private int[]? _schedule;
    private EndpointSnapshot? _home;

    /// <summary>Lays the pool out.</summary>
    /// <param name="members">The endpoints.</param>
    /// <param name="homes">Where keys belong, among these and those beside them that are not picked now; null where keys choose nobody.</param>
    public EndpointPool(EndpointSnapshot[] members, KeyHomes? homes = null)
    {
        (Members, Homes) = (members, homes);
        _cumulative = Members.All(m => WeightOf(m) == WeightOf(Members[0])) ? [] : Sums();
    }

    public EndpointSnapshot[] Members { get; }

    public KeyHomes? Homes { get; }

    /// <summary>Round robin: indices into <see cref="Members"/>, each as often as its weight says, evenly spread. Laid out on first use; any thread.</summary>
    public int[] Schedule => _schedule ??= IsUniform ? [.. Enumerable.Range(0, Members.Length)] : WeightedSchedule.Build([.. Members.Select(WeightOf)]);

    /// <summary>One member that is the same in every process and whatever order the members come in: the one with the least address. Any thread.</summary>
    public EndpointSnapshot Home => _home ??= Members.MinBy(static member => member.Address.ToString(), StringComparer.Ordinal)!;

    private bool IsUniform => _cumulative.Length == 0;

    /// <summary>The member that a key belongs to.</summary>
    /// <param name="hash">Of the key.</param>
    public EndpointSnapshot HomeOf(ulong hash) =>
        Homes?.Of(hash, overlooksHealth: Homes.Count == Members.Length) ?? Members[hash % (ulong)Members.Length];

    /// <summary>A weight of zero counts as one, the API's minimum.</summary>
    public static uint WeightOf(EndpointSnapshot endpoint) => Math.Max(endpoint.Weight, 1);

    /// <summary>One member, each with a chance in proportion to its weight.</summary>
    public EndpointSnapshot DrawByWeight(Random random)
    {
        if (IsUniform)
        {
            return Members[random.Next(Members.Length)];
        }

        ulong point = (ulong)random.NextInt64((long)_cumulative[^1]);
        int at = Array.BinarySearch(_cumulative, point + 1);
        return Members[at >= 0 ? at : ~at];
    }

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

using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>The endpoints of a cluster snapshot that may be picked, laid out for the policies. Immutable.</summary>
internal sealed class EndpointSet
{
    private static readonly ConditionalWeakTable<ClusterSnapshot, EndpointSet> Compiled = new();

    // Upper bound of each endpoint in the line of weights; empty when all weights are equal.
    private readonly ulong[] _cumulative;

    private EndpointSet(ClusterSnapshot cluster)
    {
        // Panic overlooks health, never the transport: an endpoint that needs TLS must not be sent plain bytes.
        EndpointSnapshot[] speakable = [.. cluster.Endpoints.Where(static e => !e.RequiresTls)];
        EndpointSnapshot[] usable = [.. speakable.Where(static e => e.Usable)];
        InPanic = usable.Length * 100L < cluster.HealthyPanicThreshold * (long)speakable.Length;
        Members = InPanic ? speakable : usable;
        bool uniform = Members.All(m => WeightOf(m) == WeightOf(Members[0]));
        Schedule = uniform ? [.. Enumerable.Range(0, Members.Length)] : WeightedSchedule.Build([.. Members.Select(WeightOf)]);
        _cumulative = uniform ? [] : Sums();
    }

    /// <summary>Endpoints to pick from: the usable ones, or all of them in panic.</summary>
    public EndpointSnapshot[] Members { get; }

    /// <summary>Round robin: indices into <see cref="Members"/>, each as often as its weight says, evenly spread.</summary>
    public int[] Schedule { get; }

    /// <summary>Too few endpoints are usable, so health is ignored: the few would drown.</summary>
    public bool InPanic { get; }

    /// <summary>The set of a snapshot, laid out on first use; any thread.</summary>
    public static EndpointSet For(ClusterSnapshot cluster) => Compiled.GetValue(cluster, static c => new EndpointSet(c));

    /// <summary>A weight of zero counts as one, the API's minimum.</summary>
    public static uint WeightOf(EndpointSnapshot endpoint) => Math.Max(endpoint.Weight, 1);

    /// <summary>One member, each with a chance in proportion to its weight. The set must not be empty.</summary>
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

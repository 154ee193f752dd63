using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// Shares the connections of a cluster among its priorities by Envoy's documented rule: a priority's health is the part of its
/// endpoints that is usable, times the overprovisioning factor, at most all; each takes what its health allows of what those
/// before it left, and together they take everything. What is left by the healthy endpoints of all priorities goes to the degraded ones,
/// by the same rule.
/// </summary>
internal static class PriorityLoads
{
    private const double All = 100;

    /// <summary>A priority's endpoints to pick from.</summary>
    /// <param name="Members">The usable ones; all that can be spoken to in panic.</param>
    /// <param name="Offered">These, and those beside them that fail health checks: among whom keys are distributed.</param>
    /// <param name="Load">Percent of the connections.</param>
    /// <param name="InPanic">Too few are usable, so health is ignored: the few would drown.</param>
    /// <param name="IsDegraded">Whether these are the degraded endpoints of the priority.</param>
    internal readonly record struct Level(EndpointSnapshot[] Members, EndpointSnapshot[] Offered, double Load, bool InPanic, bool IsDegraded);

    /// <summary>The priorities in order, then their degraded endpoints, also those without a load.</summary>
    /// <param name="cluster">The cluster now.</param>
    /// <param name="checks">Whether endpoints that fail health checks count as unhealthy.</param>
    public static IReadOnlyList<Level> Of(ClusterSnapshot cluster, bool checks)
    {
        // Panic overlooks health, never the transport: an endpoint that needs TLS must not be sent plain bytes.
        EndpointSnapshot[][] priorities =
        [
            .. cluster.Endpoints.Where(static e => !e.RequiresTls).GroupBy(static e => e.Group.Priority)
                .OrderBy(static g => g.Key).Select(static g => g.ToArray()),
        ];
        double total = Math.Min(All, priorities.Sum(p => Health(p, false, checks) + Health(p, true, checks)));
        int endpoints = priorities.Sum(static p => p.Length);
        double left = All;
        var levels = new List<Level>(2 * priorities.Length);
        foreach (bool degraded in (ReadOnlySpan<bool>)[false, true])
        {
            foreach (EndpointSnapshot[] priority in priorities)
            {
                double share = total > 0 ? Health(priority, degraded, checks) * All / total : priority.Length * All / endpoints;
                double load = Math.Min(left, share);
                left -= load;
                levels.Add(At(priority, degraded, load, total < All ? cluster.HealthyPanicThreshold : 0, checks));
            }
        }

        return levels;
    }

    /// <summary>Percent, 100 at most.</summary>
    /// <param name="endpoints">Of a priority, or of a locality of it.</param>
    /// <param name="degraded">Whether to count the degraded ones, or the healthy ones.</param>
    /// <param name="checks">Whether those that fail health checks are left out.</param>
    public static double Health(IReadOnlyCollection<EndpointSnapshot> endpoints, bool degraded, bool checks)
        => endpoints.Count == 0 ? 0 : Math.Min(All, (double)endpoints.First().Group.Overprovisioning * endpoints.Count(e => IsOf(e, degraded, checks)) / endpoints.Count);

    private static bool IsUsable(EndpointSnapshot endpoint, bool checks) => checks ? endpoint.Usable : endpoint.Offered;

    private static bool IsOf(EndpointSnapshot endpoint, bool degraded, bool checks) =>
        IsUsable(endpoint, checks) && (endpoint.Health == EndpointHealth.Degraded) == degraded;

    private static Level At(EndpointSnapshot[] priority, bool degraded, double load, int threshold, bool checks)
    {
        bool panic = priority.Count(e => IsUsable(e, checks)) * 100L < threshold * (long)priority.Length;
        EndpointSnapshot[] Of(bool withChecks) => panic ? priority : [.. priority.Where(e => IsOf(e, degraded, withChecks))];
        return new Level(Of(checks), Of(withChecks: false), load, panic, degraded);
    }
}

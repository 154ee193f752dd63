using System.Collections.Immutable;
using System.Runtime.InteropServices;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// An endpoint that an update leaves as it was keeps its object, and so the address that its live state has: else each assignment that is
/// sent again would hold its addresses twice from then on.
/// </summary>
internal static class EndpointContinuity
{
    /// <summary>So many endpoints may have left between two that stay; behind more of them, objects are not found again.</summary>
    public const int Reach = 8;

    /// <summary><paramref name="assignment"/> with the endpoints of <paramref name="running"/> that are equal and in the same order.</summary>
    public static ImmutableArray<EndpointConfig> Keep(ImmutableArray<EndpointConfig> assignment, ImmutableArray<EndpointConfig> running)
    {
        EndpointConfig[] kept = assignment.AsSpan().ToArray();
        int next = 0;
        for (int i = 0; i < kept.Length && next < running.Length; i++)
        {
            int at = running.AsSpan(next, Math.Min(Reach, running.Length - next)).IndexOf(kept[i]);
            if (at >= 0)
            {
                kept[i] = running[next + at];
                next += at + 1;
            }
        }

        return ImmutableCollectionsMarshal.AsImmutableArray(kept);
    }
}

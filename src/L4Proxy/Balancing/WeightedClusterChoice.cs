using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>The cluster of a connection or request, in proportion to the weights.</summary>
internal static class WeightedClusterChoice
{
    /// <summary>The cluster of a tcp_proxy connection, by chance. With one cluster no chance is drawn.</summary>
    public static string Pick(TcpProxySnapshot proxy, Random random)
    {
        if (proxy.Clusters.Length == 1)
        {
            return proxy.Clusters[0].Cluster;
        }

        return At(proxy.Clusters, (ulong)random.NextInt64((long)proxy.TotalWeight));
    }

    /// <summary>The cluster at a point in the line of the weights; the last one for a point behind its end.</summary>
    public static string At(ImmutableArray<WeightedClusterSnapshot> clusters, ulong point)
    {
        foreach (WeightedClusterSnapshot choice in clusters)
        {
            if (point < choice.Weight)
            {
                return choice.Cluster;
            }

            point -= choice.Weight;
        }

        return clusters[^1].Cluster;
    }
}

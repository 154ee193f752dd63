using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Balancing;

/// <summary>The cluster of a tcp_proxy connection: by chance, in proportion to the weights.</summary>
internal static class WeightedClusterChoice
{
    /// <summary>Name of the chosen cluster. With one cluster no chance is drawn.</summary>
    public static string Pick(TcpProxySnapshot proxy, Random random)
    {
        if (proxy.Clusters.Length == 1)
        {
            return proxy.Clusters[0].Cluster;
        }

        ulong point = (ulong)random.NextInt64((long)proxy.TotalWeight);
        foreach (WeightedClusterSnapshot choice in proxy.Clusters)
        {
            if (point < choice.Weight)
            {
                return choice.Cluster;
            }

            point -= choice.Weight;
        }

        return proxy.Clusters[^1].Cluster;
    }
}

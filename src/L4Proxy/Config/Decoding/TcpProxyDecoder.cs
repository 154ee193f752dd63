using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>tcp_proxy</c>.</summary>
internal static class TcpProxyDecoder
{
    /// <summary>Null with errors in the scope.</summary>
    public static TcpProxySnapshot? Decode(TcpProxy proxy, DecodeScope scope)
    {
        ImmutableArray<WeightedClusterSnapshot> clusters = Clusters(proxy, scope);
        if (proxy.MaxConnectAttempts == 0)
        {
            scope.Field("max_connect_attempts").Error("must be at least 1");
        }

        TimeSpan idle = scope.Duration("idle_timeout", proxy.IdleTimeout) ?? TimeSpan.FromHours(1);
        TimeSpan? longest = scope.PositiveDuration("max_downstream_connection_duration", proxy.MaxDownstreamConnectionDuration);
        ImmutableArray<AccessLogSnapshot> logs = AccessLogDecoder.Decode(proxy.AccessLog, scope);
        return clusters.IsEmpty ? null : new TcpProxySnapshot
        {
            StatPrefix = proxy.StatPrefix,
            AccessLogs = logs,
            Clusters = clusters,
            TotalWeight = clusters.Aggregate(0UL, static (sum, cluster) => sum + cluster.Weight),
            IdleTimeout = idle,
            MaxDownstreamConnectionDuration = longest,
            MaxConnectAttempts = (int)Math.Min(proxy.MaxConnectAttempts ?? 1, 100),
        };
    }

    private static ImmutableArray<WeightedClusterSnapshot> Clusters(TcpProxy proxy, DecodeScope scope)
    {
        switch (proxy.ClusterSpecifierCase)
        {
            case TcpProxy.ClusterSpecifierOneofCase.Cluster when proxy.Cluster.Length > 0:
                return [new WeightedClusterSnapshot(proxy.Cluster, 1)];
            case TcpProxy.ClusterSpecifierOneofCase.WeightedClusters:
                return Weighted(proxy.WeightedClusters, scope.Field("weighted_clusters"));
            default:
                scope.Error("cluster or weighted_clusters is required");
                return [];
        }
    }

    private static ImmutableArray<WeightedClusterSnapshot> Weighted(TcpProxy.Types.WeightedCluster weighted, DecodeScope scope)
    {
        var clusters = ImmutableArray.CreateBuilder<WeightedClusterSnapshot>(weighted.Clusters.Count);
        for (int i = 0; i < weighted.Clusters.Count; i++)
        {
            TcpProxy.Types.WeightedCluster.Types.ClusterWeight cluster = weighted.Clusters[i];
            if (cluster.Name.Length == 0 || cluster.Weight == 0)
            {
                scope.Item("clusters", i).Error("a name and a weight of at least 1 are required");
                continue;
            }

            clusters.Add(new WeightedClusterSnapshot(cluster.Name, cluster.Weight));
        }

        if (weighted.Clusters.Count == 0)
        {
            scope.Field("clusters").Error("must not be empty");
        }

        return clusters.ToImmutable();
    }
}

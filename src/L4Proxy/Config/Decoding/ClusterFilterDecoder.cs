using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Checks <c>Cluster.filters</c>, the network filters of upstream connections: none of them runs here.</summary>
internal static class ClusterFilterDecoder
{
    public static void Check(Cluster cluster, DecodeScope scope)
    {
        for (int i = 0; i < cluster.Filters.Count; i++)
        {
            Filter filter = cluster.Filters[i];
            DecodeScope at = scope.Item("filters", i);
            if (InertFilters.Names(filter.Name, filter.TypedConfig))
            {
                InertFilters.Tell(filter.Name, filter.TypedConfig, at);
            }
            else
            {
                at.Error($"upstream network filter '{filter.Name}' ({TypedConfig.TypeName(filter.TypedConfig)}) is not supported");
            }
        }
    }
}

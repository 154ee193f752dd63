using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.RawBuffer.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using Cluster = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster;

namespace MeshL4.L4Proxy.Config.Bootstrap;

/// <summary>A control plane is reached through a static cluster that needs no control plane itself.</summary>
internal static class ControlPlaneRule
{
    public static void Check(BootstrapConfig config, DecodeScope dynamic)
    {
        var clusters = new Dictionary<string, Cluster>(StringComparer.Ordinal);
        foreach (Cluster cluster in config.Clusters.OfType<Cluster>())
        {
            clusters.TryAdd(cluster.Name, cluster);
        }

        Check(config.Ads, clusters, dynamic.Field("ads_config"));
        CheckSource(config.ListenerStream, config, clusters, dynamic.Field("lds_config"));
        CheckSource(config.ClusterStream, config, clusters, dynamic.Field("cds_config"));
    }

    /// <summary>Static clusters whose endpoints are to come over an aggregated stream that there is not.</summary>
    public static void CheckEndpoints(Protos.Envoy.Config.Bootstrap.V3.Bootstrap bootstrap, DecodeScope scope)
    {
        for (int i = 0; bootstrap.DynamicResources?.AdsConfig is null && i < bootstrap.StaticResources?.Clusters.Count; i++)
        {
            Cluster cluster = bootstrap.StaticResources.Clusters[i];
            if (cluster.Type == Cluster.Types.DiscoveryType.Eds
                && cluster.EdsClusterConfig?.EdsConfig?.ConfigSourceSpecifierCase is ConfigSource.ConfigSourceSpecifierOneofCase.Ads or ConfigSource.ConfigSourceSpecifierOneofCase.Self)
            {
                scope.Item("static_resources.clusters", i).Field("eds_cluster_config.eds_config")
                    .Warn("ads needs dynamic_resources.ads_config, which is not set: the cluster serves without endpoints");
            }
        }
    }

    private static void CheckSource(StreamSourceConfig? source, BootstrapConfig config, Dictionary<string, Cluster> clusters, DecodeScope scope)
    {
        if (source is { Api: null } && config.Message is Protos.Envoy.Config.Bootstrap.V3.Bootstrap { DynamicResources.AdsConfig: null })
        {
            scope.Error("ads needs dynamic_resources.ads_config, which is not set");
        }

        Check(source?.Api, clusters, scope.Field("api_config_source"));
    }

    private static void Check(ControlPlaneConfig? source, Dictionary<string, Cluster> clusters, DecodeScope scope)
    {
        for (int i = 0; source is not null && i < source.Servers.Length; i++)
        {
            if (source.Servers[i].Cluster is not { } name)
            {
                continue;
            }

            DecodeScope at = scope.Item("grpc_services", i).Field("envoy_grpc.cluster_name");
            if (!clusters.TryGetValue(name, out Cluster? cluster))
            {
                at.Error($"'{name}' is not a static cluster of this bootstrap");
            }
            else if (cluster.Type == Cluster.Types.DiscoveryType.Eds || cluster.Type == Cluster.Types.DiscoveryType.OriginalDst)
            {
                at.Error($"cluster '{name}' is of type {cluster.Type}: a control plane needs STATIC, STRICT_DNS or LOGICAL_DNS");
            }
            else if (cluster.TransportSocketMatches.Any(static match => !TypedConfig.Is<RawBuffer>(match.TransportSocket?.TypedConfig)))
            {
                at.Error($"cluster '{name}' has transport_socket_matches: a control plane is reached by the cluster's own transport_socket");
            }
            else if (cluster.TransportSocket is { } socket && !TypedConfig.Is<RawBuffer>(socket.TypedConfig) && !TypedConfig.Is<UpstreamTlsContext>(socket.TypedConfig))
            {
                at.Error($"cluster '{name}' has transport socket '{socket.Name}': a control plane is reached in plaintext or by TLS");
            }
            else if (cluster.TransportSocket is { } tls && TypedConfig.Is<UpstreamTlsContext>(tls.TypedConfig))
            {
                ControlPlaneTlsDecoder.Decode(tls.TypedConfig, at.Field($"<{name}>.transport_socket.typed_config"));
            }
        }
    }
}

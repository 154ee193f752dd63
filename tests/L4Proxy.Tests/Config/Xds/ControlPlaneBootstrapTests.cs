using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>What a bootstrap may say about its control plane: taken, or refused with the place and the reason.</summary>
public sealed class ControlPlaneBootstrapTests : IDisposable
{
    private const string Plane = "static_resources: {clusters: [{name: plane, load_assignment: {cluster_name: plane, endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: /run/xds}}}}]}]}}, "
        + "{name: eds, type: EDS, eds_cluster_config: {eds_config: {ads: {}}}}, {name: tls, transport_socket: {name: tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}}, "
        + "{name: sds, transport_socket: {name: tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, "
        + "common_tls_context: {tls_certificate_sds_secret_configs: [{name: default}], validation_context: {verify_certificate_hash: [ab]}}}}}, "
        + "{name: matched, transport_socket_matches: [{name: t, match: {}, transport_socket: {name: tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}}]}, "
        + "{name: raw, transport_socket_matches: [{name: t, match: {}, transport_socket: {name: raw, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}]}]}\n";

    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}, cds_config: {ads: {}, resource_api_version: V3}, lds_config: {ads: {}}")]
    [InlineData("ads_config: {api_type: AGGREGATED_DELTA_GRPC, transport_api_version: V3, grpc_services: [{google_grpc: {target_uri: 'dns:///istiod.istio-system.svc:15012', stat_prefix: x, channel_credentials: {ssl_credentials: {root_certs: {filename: /none.pem}}}}}]}, lds_config: {ads: {}, resource_api_version: V3}")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: tls}}]}")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: raw}}]}")]
    [InlineData("cds_config: {api_config_source: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}, resource_api_version: V3}")]
    public void Sources_OfTheKindsKnown_AreTaken(string dynamic) => _folder.Errors($"{Plane}dynamic_resources: {{{dynamic}}}").ShouldBeEmpty();

    [Theory]
    [InlineData("lds_config: {ads: {}}", "dynamic_resources.lds_config: ads needs dynamic_resources.ads_config, which is not set")]
    [InlineData("ads_config: {api_type: REST, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}", "dynamic_resources.ads_config.api_type: must be GRPC or DELTA_GRPC")]
    [InlineData("ads_config: {api_type: GRPC, transport_api_version: V2, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}", "dynamic_resources.ads_config.transport_api_version: V2 is gone: must be V3")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: []}", "dynamic_resources.ads_config.grpc_services: at least one is required")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: none}}]}", "grpc_services[0].envoy_grpc.cluster_name: 'none' is not a static cluster of this bootstrap")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: eds}}]}", "cluster 'eds' is of type Eds: a control plane needs STATIC, STRICT_DNS or LOGICAL_DNS")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: sds}}]}", "common_tls_context: secrets for the way to a control plane cannot come from one: give files")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: sds}}]}", "validation_context.verify_certificate_hash: is not supported on the way to a control plane")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: matched}}]}", "cluster 'matched' has transport_socket_matches")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{google_grpc: {target_uri: 'istiod', stat_prefix: x}}]}", "google_grpc.target_uri: 'istiod' is not host:port, dns:///host:port or unix:/path")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{google_grpc: {target_uri: 'a:1', stat_prefix: x, call_credentials: [{google_compute_engine: {}}]}}]}", "call_credentials[0].google_compute_engine")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{google_grpc: {target_uri: 'a:1', stat_prefix: x, channel_credentials: {ssl_credentials: {cert_chain: {filename: /c}}}}}]}", "ssl_credentials: cert_chain and private_key belong together")]
    [InlineData("ads_config: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: plane}, initial_metadata: [{key: 'a b', value: c}]}]}", "initial_metadata[0].key: is not the name of a header")]
    public void Sources_ThatCannotWork_AreRefusedWithPlaceAndReason(string dynamic, string reason)
        => _folder.Errors($"{Plane}dynamic_resources: {{{dynamic}}}").ShouldContain(reason);

    /// <summary>What never comes is not waited for, whatever the wait is.</summary>
    [Fact]
    public void EndpointsOverAnAggregatedStreamThatIsNotThere_AreWarnedOf_AndNotWaitedFor()
    {
        const string Cluster = "static_resources: {clusters: [{name: c, type: EDS, eds_cluster_config: {eds_config: {ads: {}, initial_fetch_timeout: 0s, resource_api_version: V3}}}]}\n";
        _folder.Warnings(Cluster).ShouldContain("static_resources.clusters[0].eds_cluster_config.eds_config: ads needs dynamic_resources.ads_config, which is not set");
        _folder.Start(Cluster).Clusters.ShouldContainKey("c");
        _folder.ConfigPath.Initialized.IsCompleted.ShouldBeTrue();
    }
}

using System.Runtime.Versioning;
using Google.Protobuf;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;
using IPEndPoint = System.Net.IPEndPoint;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Whose the last good resources are when they come from the file: they were saved under other settings of the same stream.</summary>
[SupportedOSPlatform("linux")]
public sealed class LastGoodSourceTests : IDisposable
{
    private const string Saved = "#0123456789abcdef";

    private const string Bootstrap =
        """
        static_resources: {clusters: [{name: plane, load_assignment: {cluster_name: plane, endpoints: [{lb_endpoints: [{endpoint: {address: {pipe: {path: /nobody-listens-here}}}}]}]}}]}
        dynamic_resources:
          cds_config: {resource_api_version: V3, api_config_source: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}}
          lds_config: {resource_api_version: V3, api_config_source: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}}
        bootstrap_extensions: [{name: control_plane, typed_config: {'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, snapshot_file: $DIR/last, snapshot_wait: 0.01s}}]
        """;

    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task FirstAnswerOfTheStream_RemovesWhatItDoesNotHave_ThoughItsSettingsChanged()
    {
        await StartAsync(
            Running(TypeUrls.Cluster, "old", "cds@plane" + Saved, new Cluster { Name = "old" }),
            Running(TypeUrls.Listener, "old", "lds@plane" + Saved, Listener("old")));
        _folder.Store.Current.Listeners.Select(static one => one.Name).ShouldBe(["old"]);
        Deliver(TypeUrls.Cluster, new Cluster { Name = "new" });
        _folder.Store.Current.Clusters.Keys.ShouldBe(["new", "plane"], ignoreOrder: true);
        Deliver(TypeUrls.Listener, Listener("renamed"));
        _folder.Store.Current.Listeners.Select(static one => one.Name).ShouldBe(["renamed"], "it has the address of the one before");
    }

    [Fact]
    public async Task Endpoints_OfASourceThatIsNamed_Serve_AndOfOthersAreLeftOut()
    {
        string named = Source().SourceOf(TypeUrls.Endpoints);
        var cluster = new Cluster
        {
            Name = "old", Type = Cluster.Types.DiscoveryType.Eds, EdsClusterConfig = new() { ServiceName = "s", EdsConfig = Grpc() },
        };
        await StartAsync(
            Running(TypeUrls.Cluster, "old", "cds@plane" + Saved, cluster),
            Running(TypeUrls.Endpoints, "s", named, Endpoints("10.0.0.1")),
            Running(TypeUrls.Endpoints, "s", "eds@plane" + Saved, Endpoints("10.0.0.2")),
            Running(TypeUrls.NameTable, TypeUrls.NameTableName, "ads", new L4Proxy.Config.Protos.Istio.Networking.Nds.V1.NameTable()));
        _folder.Store.Current.Clusters["old"].Endpoints.ShouldHaveSingleItem().Address.ShouldBe(IPEndPoint.Parse("10.0.0.1:80"));
        _folder.ConfigPath.Ledger.Running.Where(static one => one.TypeUrl is TypeUrls.Endpoints or TypeUrls.NameTable).ShouldHaveSingleItem().Source.ShouldBe(named);
    }

    private async Task StartAsync(params RunningResource[] saved)
    {
        SnapshotFile.Write(_folder.Path("last"), saved, DateTimeOffset.UnixEpoch);
        _folder.Start(Bootstrap);
        await ConfigFolder.Until(() => _folder.ConfigPath.Streams!.LastKnownGood!.InUse);
    }

    /// <summary>As the stream does whose settings are those of the bootstrap.</summary>
    private void Deliver(string typeUrl, IMessage resource)
        => _folder.ConfigPath.Sink.Deliver(new ResourceUpdate(typeUrl, "1", Source().SourceOf(typeUrl), OfferedResource.Of([resource]), new IssueCollector())).Issues.ShouldBeEmpty();

    private static StreamSourceConfig Source() => ControlPlaneDecoder.StreamOf(Grpc(), new DecodeScope(new IssueCollector(), "")).ShouldNotBeNull();

    private static ConfigSource Grpc() => new()
    {
        ResourceApiVersion = ApiVersion.V3,
        ApiConfigSource = new ApiConfigSource
        {
            ApiType = ApiConfigSource.Types.ApiType.DeltaGrpc, TransportApiVersion = ApiVersion.V3,
            GrpcServices = { new GrpcService { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = "plane" } } },
        },
    };

    private static Listener Listener(string name) => new()
    {
        Name = name, Address = At("127.0.0.1", 7001), FilterChains = { new FilterChain() },
    };

    private static ClusterLoadAssignment Endpoints(string address) => new()
    {
        ClusterName = "s", Endpoints = { new LocalityLbEndpoints { LbEndpoints = { new LbEndpoint { Endpoint = new Endpoint { Address = At(address, 80) } } } } },
    };

    private static Address At(string address, uint port) => new() { SocketAddress = new SocketAddress { Address = address, PortValue = port } };

    private static RunningResource Running(string type, string name, string source, IMessage message)
        => new(type, name, "1", source, DateTimeOffset.UnixEpoch, StoredResource.Keep(type, OfferedResource.Of([message]))[0]);
}

using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.L4Proxy.Config.Xds.Grpc;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using Struct = Google.Protobuf.WellKnownTypes.Struct;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Nothing is said in plaintext to who is to be reached by TLS.</summary>
public sealed class ControlPlaneDialerTests : IDisposable
{
    private readonly DnsResolution _names = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });

    public void Dispose() => _names.Dispose();

    [Fact]
    public async Task Endpoint_ThatAsksForTlsByItsMatch_IsNotSpokenToInPlaintext()
    {
        var store = new SnapshotStore();
        var sink = new ResourceSink(
            new SnapshotBuilder(new ClusterStateRegistry(), _names), new ConfigLedger(TimeProvider.System), store, static () => { }, static (_, _) => { });
        Cluster cluster = Matched();
        sink.Deliver(new ResourceUpdate(TypeUrls.Cluster, "1", "ads", OfferedResource.Of([cluster]), new IssueCollector())).Accepted.ShouldBeTrue();
        var dialer = new ControlPlaneDialer(store, "", [cluster]);
        await using IDiscoveryTransport stream = dialer.Server(new GrpcServerConfig { Cluster = "plane", Authority = "plane" }).Open("/a.B/C");
        GrpcException failure = await Should.ThrowAsync<GrpcException>(() => stream.ReadAsync(default).AsTask().WaitAsync(Patience.Limit));
        failure.Message.ShouldContain("every endpoint of cluster 'plane' asks for TLS");
    }

    private static Cluster Matched()
    {
        var address = new Core.Address { SocketAddress = new Core.SocketAddress { Address = "127.0.0.1", PortValue = 1 } };
        return new Cluster
        {
            Name = "plane",
            TransportSocketMatches =
            {
                new Cluster.Types.TransportSocketMatch
                {
                    Name = "t", Match = new Struct(), TransportSocket = new Core.TransportSocket { Name = "tls", TypedConfig = Any.Pack(new UpstreamTlsContext()) },
                },
            },
            LoadAssignment = new ClusterLoadAssignment
            {
                ClusterName = "plane", Endpoints = { new LocalityLbEndpoints { LbEndpoints = { new LbEndpoint { Endpoint = new Endpoint { Address = address } } } } },
            },
        };
    }
}

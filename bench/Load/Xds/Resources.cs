using System.Globalization;
using System.Net;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using Address = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.Address;
using Filter = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Filter;
using SocketAddress = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3.SocketAddress;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace MeshL4.Load.Xds;

/// <summary>Resources in the shape istiod gives them: names, circuit breakers out of the way, localities, metadata of workloads.</summary>
internal static class Resources
{
    public const string ClusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
    public const string EndpointsType = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
    public const string ListenerType = "type.googleapis.com/envoy.config.listener.v3.Listener";

    private const uint Unlimited = uint.MaxValue;

    /// <summary>Name of a cluster and of its endpoints.</summary>
    public static string Name(int number) => string.Create(CultureInfo.InvariantCulture, $"outbound|8080||service-{number:00000}.shop.svc.cluster.local");

    /// <summary>An EDS cluster over the aggregated stream.</summary>
    public static Cluster Cluster(int number) => new()
    {
        Name = Name(number),
        Type = L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster.Types.DiscoveryType.Eds,
        EdsClusterConfig = new() { EdsConfig = new ConfigSource { Ads = new(), InitialFetchTimeout = new Duration(), ResourceApiVersion = ApiVersion.V3 }, ServiceName = Name(number) },
        ConnectTimeout = new Duration { Seconds = 10 },
        LbPolicy = L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster.Types.LbPolicy.LeastRequest,
        CircuitBreakers = new() { Thresholds = { new CircuitBreakers.Types.Thresholds { MaxConnections = Unlimited, MaxPendingRequests = Unlimited, MaxRequests = Unlimited, MaxRetries = Unlimited } } },
        CommonLbConfig = new() { LocalityWeightedLbConfig = new() },
        Metadata = Istio(new Struct
        {
            Fields =
            {
                ["services"] = Value.ForList(Value.ForStruct(new Struct
                {
                    Fields =
                    {
                        ["host"] = Value.ForString(string.Create(CultureInfo.InvariantCulture, $"service-{number:00000}.shop.svc.cluster.local")),
                        ["name"] = Value.ForString(string.Create(CultureInfo.InvariantCulture, $"service-{number:00000}")),
                        ["namespace"] = Value.ForString("shop"),
                    },
                })),
            },
        }),
    };

    /// <summary>Endpoints of a cluster in one locality.</summary>
    public static ClusterLoadAssignment Endpoints(int number, IEnumerable<IPEndPoint> endpoints) => new()
    {
        ClusterName = Name(number),
        Endpoints =
        {
            new LocalityLbEndpoints
            {
                Locality = new Locality { Region = "region1", Zone = "zone1" },
                LoadBalancingWeight = 10,
                LbEndpoints = { endpoints.Select((address, i) => Endpoint(number, i, address)) },
            },
        },
    };

    /// <summary>Ten addresses that nobody connects to.</summary>
    public static IEnumerable<IPEndPoint> Addresses(int number) => Enumerable.Range(0, 10)
        .Select(i => new IPEndPoint(new IPAddress([10, (byte)(number >> 8), (byte)number, (byte)(i + 1)]), 8080));

    /// <summary>A listener with one chain that relays to a cluster.</summary>
    public static Listener Listener(string name, IPEndPoint address, string cluster) => new()
    {
        Name = name,
        Address = Socket(address),
        FilterChains =
        {
            new FilterChain { Filters = { new Filter { Name = "envoy.filters.network.tcp_proxy", TypedConfig = Any.Pack(new TcpProxy { StatPrefix = name, Cluster = cluster }) } } },
        },
    };

    private static LbEndpoint Endpoint(int number, int index, IPEndPoint address) => new()
    {
        Endpoint = new Endpoint { Address = Socket(address) },
        LoadBalancingWeight = 1,
        HealthStatus = HealthStatus.Healthy,
        Metadata = Istio(new Struct
        {
            Fields = { ["workload"] = Value.ForString(string.Create(CultureInfo.InvariantCulture, $"service-{number:00000};shop;service-{number:00000}-{index};v1;Kubernetes")) },
        }),
    };

    private static Metadata Istio(Struct content) => new() { FilterMetadata = { ["istio"] = content } };

    private static Address Socket(IPEndPoint address) => new()
    {
        SocketAddress = new SocketAddress { Address = address.Address.ToString(), PortValue = (uint)address.Port },
    };
}

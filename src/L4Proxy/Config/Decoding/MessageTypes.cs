using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.AccessLoggers.File.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.AccessLoggers.Stream.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Clusters.Dns.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.HttpInspector.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.OriginalDst.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.OriginalSrc.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.TlsInspector.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.ConnectionLimit.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Udp.UdpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.ClusterProvided.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.LeastRequest.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Maglev.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.PickFirst.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RingHash.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RoundRobin.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.WrrLocality.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.InternalUpstream.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.ProxyProtocol.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.RawBuffer.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using NetworkRateLimit = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.LocalRatelimit.V3;
using ListenerRateLimit = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.LocalRatelimit.V3;
using DirectResponse = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.DirectResponse.V3;
using Echo = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Echo.V3;
using ListenerProxyProtocol = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.ProxyProtocol.V3;
using Meshl4 = MeshL4.L4Proxy.Config.Protos.Meshl4.Bootstrap.V1;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3;
using RandomPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Random.V3;
using Rpc = MeshL4.L4Proxy.Config.Protos.Google.Rpc;
using Udpa = MeshL4.L4Proxy.Config.Protos.Udpa.Type.V1;
using Xds = MeshL4.L4Proxy.Config.Protos.Xds.Type.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Every message an <c>Any</c> may hold. Naming the files here is also what keeps the types in a trimmed build.</summary>
internal static class MessageTypes
{
    /// <summary>What C# messages put before a full name in a type URL.</summary>
    public const string Prefix = "type.googleapis.com/";

    /// <summary>By full name; with the messages of every file these import.</summary>
    public static readonly TypeRegistry Registry = TypeRegistry.FromFiles(
        BootstrapReflection.Descriptor, DiscoveryReflection.Descriptor, Meshl4.BootstrapReflection.Descriptor,
        Udpa.TypedStructReflection.Descriptor, Xds.TypedStructReflection.Descriptor, Rpc.StatusReflection.Descriptor,
        FileReflection.Descriptor, StreamReflection.Descriptor,
        HttpInspectorReflection.Descriptor, OriginalDstReflection.Descriptor, OriginalSrcReflection.Descriptor,
        TlsInspectorReflection.Descriptor, ListenerProxyProtocol.ProxyProtocolReflection.Descriptor,
        ListenerRateLimit.LocalRatelimitReflection.Descriptor,
        TcpProxyReflection.Descriptor, RedisProxyReflection.Descriptor, HttpConnectionManagerReflection.Descriptor,
        ConnectionLimitReflection.Descriptor, DirectResponse.ConfigReflection.Descriptor, Echo.EchoReflection.Descriptor,
        NetworkRateLimit.LocalRateLimitReflection.Descriptor, NetworkRbac.RbacReflection.Descriptor,
        UdpProxyReflection.Descriptor, RouteReflection.Descriptor,
        RawBufferReflection.Descriptor, UpstreamProxyProtocolReflection.Descriptor, InternalUpstreamReflection.Descriptor,
        TlsReflection.Descriptor, DnsClusterReflection.Descriptor,
        RoundRobinReflection.Descriptor, LeastRequestReflection.Descriptor, RandomPolicy.RandomReflection.Descriptor,
        ClusterProvidedReflection.Descriptor, WrrLocalityReflection.Descriptor, RingHashReflection.Descriptor,
        MaglevReflection.Descriptor, PickFirstReflection.Descriptor);

    /// <summary>The message a type URL names, whatever stands before its last slash; null when this build does not know it.</summary>
    public static MessageDescriptor? Find(string typeUrl) => Registry.Find(NameOf(typeUrl));

    /// <summary>The part of a type URL behind its last slash.</summary>
    public static string NameOf(string typeUrl) => typeUrl[(typeUrl.LastIndexOf('/') + 1)..];

    /// <summary>True for the two messages that carry another message's settings as a Struct.</summary>
    public static bool IsTypedStruct(MessageDescriptor type) => type.FullName is "udpa.type.v1.TypedStruct" or "xds.type.v3.TypedStruct";
}

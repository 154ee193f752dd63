using Google.Protobuf.Reflection;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.GrpcCredential.V3;
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
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.SetFilterState.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.SniCluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Udp.UdpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.ClusterProvided.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.LeastRequest.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Maglev.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.PickFirst.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RingHash.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RoundRobin.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Subset.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.WrrLocality.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Matching.CommonInputs.Network.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.InternalUpstream.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.ProxyProtocol.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.RawBuffer.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Protos.Istio.Networking.Nds.V1;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Protos.Xds.Type.Matcher.V3;
using NetworkRateLimit = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.LocalRatelimit.V3;
using ListenerRateLimit = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.LocalRatelimit.V3;
using DirectResponse = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.DirectResponse.V3;
using Echo = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Echo.V3;
using ListenerProxyProtocol = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.ProxyProtocol.V3;
using Meshl4 = MeshL4.L4Proxy.Config.Protos.Meshl4.Bootstrap.V1;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3;
using RandomPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Random.V3;
using Rpc = MeshL4.L4Proxy.Config.Protos.Google.Rpc;
using UdpRouteReflection = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Udp.UdpProxy.V3.RouteReflection;
using Udpa = MeshL4.L4Proxy.Config.Protos.Udpa.Type.V1;
using XdsType = MeshL4.L4Proxy.Config.Protos.Xds.Type.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Every message an <c>Any</c> may hold. Naming the files here is also what keeps the types in a trimmed build.</summary>
internal static class MessageTypes
{
    /// <summary>What C# messages put before a full name in a type URL.</summary>
    public const string Prefix = "type.googleapis.com/";

    /// <summary>What every configuration needs; with the messages of every file these import.</summary>
    private static readonly TypeRegistry Core = TypeRegistry.FromFiles(
        BootstrapReflection.Descriptor, DiscoveryReflection.Descriptor, Meshl4.BootstrapReflection.Descriptor,
        Udpa.TypedStructReflection.Descriptor, XdsType.TypedStructReflection.Descriptor, Rpc.StatusReflection.Descriptor, NdsReflection.Descriptor);

    /// <summary>
    /// The files of extensions, by package, or by message where a package has several files. A file's descriptor is built when one of its messages is first met: building
    /// them all costs tens of milliseconds at start and megabytes for ever.
    /// </summary>
    private static readonly Dictionary<string, Func<FileDescriptor>> Extensions = new()
    {
        ["envoy.extensions.access_loggers.file.v3"] = static () => FileReflection.Descriptor,
        ["envoy.extensions.access_loggers.stream.v3"] = static () => StreamReflection.Descriptor,
        ["envoy.extensions.filters.listener.http_inspector.v3"] = static () => HttpInspectorReflection.Descriptor,
        ["envoy.extensions.filters.listener.original_dst.v3"] = static () => OriginalDstReflection.Descriptor,
        ["envoy.extensions.filters.listener.original_src.v3"] = static () => OriginalSrcReflection.Descriptor,
        ["envoy.extensions.filters.listener.tls_inspector.v3"] = static () => TlsInspectorReflection.Descriptor,
        ["envoy.extensions.filters.listener.proxy_protocol.v3"] = static () => ListenerProxyProtocol.ProxyProtocolReflection.Descriptor,
        ["envoy.extensions.filters.listener.local_ratelimit.v3"] = static () => ListenerRateLimit.LocalRatelimitReflection.Descriptor,
        ["envoy.extensions.filters.network.tcp_proxy.v3"] = static () => TcpProxyReflection.Descriptor,
        ["envoy.extensions.filters.network.redis_proxy.v3"] = static () => RedisProxyReflection.Descriptor,
        ["meshl4.xrpc.v1"] = static () => XrpcProxyReflection.Descriptor,
        ["envoy.extensions.filters.network.http_connection_manager.v3"] = static () => HttpConnectionManagerReflection.Descriptor,
        ["envoy.extensions.filters.network.connection_limit.v3"] = static () => ConnectionLimitReflection.Descriptor,
        ["envoy.extensions.filters.network.direct_response.v3"] = static () => DirectResponse.ConfigReflection.Descriptor,
        ["envoy.extensions.filters.network.echo.v3"] = static () => Echo.EchoReflection.Descriptor,
        ["envoy.extensions.filters.network.local_ratelimit.v3"] = static () => NetworkRateLimit.LocalRateLimitReflection.Descriptor,
        ["envoy.extensions.filters.network.rbac.v3"] = static () => NetworkRbac.RbacReflection.Descriptor,
        ["envoy.extensions.filters.network.sni_cluster.v3"] = static () => SniClusterReflection.Descriptor,
        ["envoy.extensions.filters.network.set_filter_state.v3"] = static () => SetFilterStateReflection.Descriptor,
        ["envoy.extensions.matching.common_inputs.network.v3"] = static () => NetworkInputsReflection.Descriptor,
        ["xds.type.matcher.v3"] = static () => IpReflection.Descriptor,
        ["envoy.extensions.filters.udp.udp_proxy.v3"] = static () => UdpProxyReflection.Descriptor,
        ["envoy.extensions.filters.udp.udp_proxy.v3.Route"] = static () => UdpRouteReflection.Descriptor,
        ["envoy.config.grpc_credential.v3"] = static () => FileBasedMetadataReflection.Descriptor,
        ["envoy.config.rbac.v3"] = static () => Protos.Envoy.Config.Rbac.V3.RbacReflection.Descriptor,
        ["envoy.config.route.v3"] = static () => Protos.Envoy.Config.Route.V3.RouteReflection.Descriptor,
        ["envoy.extensions.transport_sockets.raw_buffer.v3"] = static () => RawBufferReflection.Descriptor,
        ["envoy.extensions.transport_sockets.proxy_protocol.v3"] = static () => UpstreamProxyProtocolReflection.Descriptor,
        ["envoy.extensions.transport_sockets.internal_upstream.v3"] = static () => InternalUpstreamReflection.Descriptor,
        ["envoy.extensions.transport_sockets.tls.v3"] = static () => TlsReflection.Descriptor,
        ["envoy.extensions.clusters.dns.v3"] = static () => DnsClusterReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.round_robin.v3"] = static () => RoundRobinReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.least_request.v3"] = static () => LeastRequestReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.random.v3"] = static () => RandomPolicy.RandomReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.cluster_provided.v3"] = static () => ClusterProvidedReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.subset.v3"] = static () => SubsetReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.wrr_locality.v3"] = static () => WrrLocalityReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.ring_hash.v3"] = static () => RingHashReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.maglev.v3"] = static () => MaglevReflection.Descriptor,
        ["envoy.extensions.load_balancing_policies.pick_first.v3"] = static () => PickFirstReflection.Descriptor,
    };

    /// <summary>The message a type URL or full name names, whatever stands before its last slash; null when this build does not know it.</summary>
    public static MessageDescriptor? Find(string typeUrl)
    {
        string name = NameOf(typeUrl);
        int dot = name.LastIndexOf('.');
        return dot > 0 && (Extensions.TryGetValue(name, out Func<FileDescriptor>? file) || Extensions.TryGetValue(name[..dot], out file))
            && InPackage(file(), name[..dot], name[(dot + 1)..]) is { } extension
            ? extension
            : Core.Find(name);
    }

    /// <summary>A package may have several files: the one named here imports the others.</summary>
    private static MessageDescriptor? InPackage(FileDescriptor file, string package, string type)
        => file.FindTypeByName<MessageDescriptor>(type)
            ?? file.Dependencies.Where(one => one.Package == package).Select(one => one.FindTypeByName<MessageDescriptor>(type)).FirstOrDefault(found => found is not null);

    /// <summary>The part of a type URL behind its last slash.</summary>
    public static string NameOf(string typeUrl) => typeUrl[(typeUrl.LastIndexOf('/') + 1)..];

    /// <summary>True for the two messages that carry another message's settings as a Struct.</summary>
    public static bool IsTypedStruct(MessageDescriptor type) => type.FullName is "udpa.type.v1.TypedStruct" or "xds.type.v3.TypedStruct";
}

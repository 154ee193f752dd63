using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config;

/// <summary>Where a resource asks for TLS, which this build does not speak: shown beside the resource in /config_dump.</summary>
internal static class TlsPlaces
{
    /// <summary>Field paths within the resource; empty for types without transport sockets.</summary>
    public static IEnumerable<string> Of(IMessage resource) => resource switch
    {
        Listener listener => listener.FilterChains.Select(static (chain, i) => (chain, Path: $"filter_chains[{i}]"))
            .Append((listener.DefaultFilterChain, Path: "default_filter_chain"))
            .Where(static one => TypedConfig.Is<DownstreamTlsContext>(one.Item1?.TransportSocket?.TypedConfig))
            .Select(static one => one.Path + ".transport_socket"),
        Cluster cluster => cluster.TransportSocketMatches.Select(static (match, i) => (match.TransportSocket, Path: $"transport_socket_matches[{i}].transport_socket"))
            .Append((cluster.TransportSocket, Path: "transport_socket"))
            .Where(static one => TypedConfig.Is<UpstreamTlsContext>(one.Item1?.TypedConfig))
            .Select(static one => one.Path),
        _ => [],
    };
}

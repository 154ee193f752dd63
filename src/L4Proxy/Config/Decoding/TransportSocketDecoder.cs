using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.RawBuffer.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using Core = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Transport sockets. TLS is not spoken by this build: it is taken with a warning and what needs it fails closed at run time, because
/// a control plane that sends TLS to every proxy must still be able to configure the rest.
/// </summary>
internal static class TransportSocketDecoder
{
    /// <summary>True when a chain expects TLS from the client.</summary>
    public static bool Downstream(Core.TransportSocket? socket, DecodeScope scope)
        => NeedsTls<DownstreamTlsContext>(socket, scope, "connections that match this chain, or another with TLS, are closed and counted as tls_unsupported");

    /// <summary>True when an upstream expects TLS.</summary>
    public static bool Upstream(Core.TransportSocket? socket, DecodeScope scope)
        => NeedsTls<UpstreamTlsContext>(socket, scope, "endpoints that need it are not used (UF, tls_unsupported)");

    private static bool NeedsTls<TContext>(Core.TransportSocket? socket, DecodeScope scope, string consequence)
        where TContext : Google.Protobuf.IMessage<TContext>, new()
    {
        Any? typed = socket?.TypedConfig;
        if (socket is null || TypedConfig.Is<RawBuffer>(typed) || (typed is null && socket.Name == "envoy.transport_sockets.raw_buffer"))
        {
            return false;
        }

        if (TypedConfig.Is<TContext>(typed) || (typed is null && socket.Name is "tls" or "envoy.transport_sockets.tls"))
        {
            scope.WarnOnce("TLS is not supported by this build: " + consequence);
            return true;
        }

        scope.Error($"transport socket '{socket.Name}' ({TypedConfig.TypeName(typed)}) is not supported");
        return true;
    }
}

using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.RedisProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>
/// What of an RPC chain may change under open connections: its routes and policies, which are looked up for each request, and of a <c>tcp_proxy</c>, which
/// a codec rule may read as one, its clusters. Everything else belongs to the chain, and a change of it drains the chain's connections.
/// </summary>
internal static class LiveRoutes
{
    /// <summary>The chain without them, to tell whether an update left the rest as it was; the chain itself when it has none.</summary>
    public static FilterChain Without(FilterChain chain)
    {
        int at = chain.Filters.Count - 1;
        if (at < 0 || Without(chain.Filters[at].TypedConfig) is not { } stripped)
        {
            return chain;
        }

        FilterChain rest = chain.Clone();
        rest.Filters[at].TypedConfig = stripped;
        return rest;
    }

    /// <summary>The settings of such a proxy without them; null for another filter's.</summary>
    public static Any? Without(Any? typed)
    {
        if (TypedConfig.Is<XRpcProxy>(typed))
        {
            XRpcProxy proxy = XRpcProxy.Parser.ParseFrom(typed!.Value);
            if (proxy.RouteSpecifierCase == XRpcProxy.RouteSpecifierOneofCase.RouteConfig)
            {
                proxy.RouteConfig = null;
            }

            proxy.Policies = null;
            proxy.OnUnknown = default;
            return Packed(typed, proxy);
        }

        if (TypedConfig.Is<RedisProxy>(typed))
        {
            RedisProxy proxy = RedisProxy.Parser.ParseFrom(typed!.Value);
            proxy.PrefixRoutes = null;
            proxy.Faults.Clear();
            if (proxy.Settings is { } settings)
            {
                settings.OpTimeout = null;
            }

            return Packed(typed, proxy);
        }

        if (TypedConfig.Is<TcpProxy>(typed))
        {
            TcpProxy proxy = TcpProxy.Parser.ParseFrom(typed!.Value);
            proxy.ClearClusterSpecifier();
            return Packed(typed, proxy);
        }

        return null;
    }

    private static Any Packed(Any original, IMessage message) => new() { TypeUrl = original.TypeUrl, Value = message.ToByteString() };
}

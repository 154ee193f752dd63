using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>
/// Bytes no codec knows fall open to plain TCP only where nothing is decided about requests: whoever talks another
/// protocol would else pass a login, an authorization, a rate limit or a fault by.
/// </summary>
internal static class UnknownBytesRule
{
    public static bool IsTcp(XRpcProxy.Types.OnUnknown asked, bool authenticates, XRpcRouteTable routes, DecodeScope scope)
    {
        bool guarded = authenticates
            || routes.Routes.Any(static route => route.Policies is { Authorization: not null } or { RateLimit: not null } or { Faults.Length: > 0 });
        bool decided = guarded || routes.HasPrefixes || !routes.Conditional.IsEmpty || routes.CatchAll is not { Clusters.Length: > 0 };
        switch (asked)
        {
            case XRpcProxy.Types.OnUnknown.Tcp when guarded:
                scope.Error("TCP would let unknown bytes pass an authentication, authorization, rate limit or fault policy by; use CLOSE");
                return false;
            case XRpcProxy.Types.OnUnknown.Tcp when routes.CatchAll is not { Clusters.Length: > 0 }:
                scope.Error("TCP needs a route without a condition that names a cluster");
                return false;
            case XRpcProxy.Types.OnUnknown.Tcp:
                return true;
            case XRpcProxy.Types.OnUnknown.Auto:
                return !decided;
            case XRpcProxy.Types.OnUnknown.Close:
                return false;
            default:
                scope.Error($"{(int)asked} is no value of it");
                return false;
        }
    }
}

using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.Policies;

/// <summary>Writes lines about single requests.</summary>
internal interface IRequestLog
{
    /// <summary>One line.</summary>
    /// <param name="log">Where to, and in which form.</param>
    /// <param name="route">The route that took the request.</param>
    /// <param name="protocol">Names of protocol and methods.</param>
    /// <param name="method">Number of the method.</param>
    /// <param name="reply">How it was answered; None when its client left first.</param>
    /// <param name="ticks">How long it took, in Stopwatch ticks.</param>
    /// <param name="downstream">The client's connection.</param>
    void Write(XRpcRequestLogSnapshot log, XRpcRouteSnapshot route, CodecTraits protocol, int method, FrameKind reply, long ticks, Downstream downstream);
}

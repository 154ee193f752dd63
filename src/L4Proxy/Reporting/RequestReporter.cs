using System.Diagnostics;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Reporting;

/// <summary>
/// Lines about single requests, in the formats of the access log: the operators tell of the client's connection, the duration is the
/// request's, and the details name protocol, method, route and kind of answer. None of that is a client's bytes.
/// </summary>
internal sealed class RequestReporter(LogSinks sinks) : IRequestLog, IConnectionReporter
{
    /// <inheritdoc/>
    public void Write(XRpcRequestLogSnapshot log, XRpcRouteSnapshot route, CodecTraits protocol, int method, FrameKind reply, long ticks, Downstream downstream)
    {
        ConnectionRecord of = downstream.Record;
        string name = method < protocol.Methods.Length ? protocol.Methods[method] : "other";
        var record = new ConnectionRecord(this, of.Id, of.Listener)
        {
            Chain = of.Chain,
            DirectRemote = of.DirectRemote,
            Remote = of.Remote,
            Local = of.Local,
            ServerName = of.ServerName,
            TransportProtocol = of.TransportProtocol,
            ClusterName = of.ClusterName,
            UpstreamHost = of.UpstreamHost,
            Duration = Stopwatch.GetElapsedTime(0, ticks),
            Details = $"{protocol.Name}_{name} route={route.Name} {Outcome(reply)}",
        };
        foreach (AccessLogSnapshot one in log.Logs)
        {
            sinks.Write(one, record);
        }
    }

    private static string Outcome(FrameKind reply) => reply switch
    {
        FrameKind.None => "unfinished",
        FrameKind.ErrorResponse => "error",
        _ => "response",
    };

    /// <summary>Requests are written, not reported: their record is never completed.</summary>
    public void Report(ConnectionRecord record)
    {
    }
}

using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Terminating.Policies;

namespace MeshL4.L4Proxy.Reporting;

/// <summary>
/// Lines about single requests, in the formats of the access log: of the client's side the operators tell the connection; time, flags, cluster and
/// server are the request's, and the details name protocol, method, route and kind of answer. None of that is a client's bytes.
/// </summary>
internal sealed class RequestReporter(LogSinks sinks) : IRequestLog, IConnectionReporter
{
    /// <inheritdoc/>
    public void Write(XRpcRequestLogSnapshot log, in RequestEnd end, Downstream downstream)
    {
        ConnectionRecord? record = null;
        foreach (XRpcRequestLogTarget target in log.Targets)
        {
            if (target.Filter is null || target.Filter.Takes(end.Duration, end.Flags))
            {
                sinks.Write(target.Log, record ??= RecordOf(end, downstream.Record));
            }
        }
    }

    /// <summary>Requests are written, not reported: their record is never completed.</summary>
    public void Report(ConnectionRecord record)
    {
    }

    private ConnectionRecord RecordOf(in RequestEnd end, ConnectionRecord of)
    {
        string name = end.Method < end.Protocol.Methods.Length ? end.Protocol.Methods[end.Method] : "other";
        return new ConnectionRecord(this, of.Id, of.Listener)
        {
            Chain = of.Chain,
            DirectRemote = of.DirectRemote,
            Remote = of.Remote,
            Local = of.Local,
            ServerName = of.ServerName,
            TransportProtocol = of.TransportProtocol,
            ClusterName = end.Cluster,
            UpstreamHost = end.Server?.Address,
            StartTime = TimeProvider.System.GetUtcNow() - end.Duration,
            Duration = end.Duration,
            Flags = end.Flags,
            Details = $"{end.Protocol.Name}_{name} route={end.Route?.Name ?? "-"} {OutcomeName(end.Outcome)}",
        };
    }

    private static string OutcomeName(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.Sent => "sent",
        RequestOutcome.Unfinished => "unfinished",
        RequestOutcome.Error => "error",
        _ => "response",
    };
}

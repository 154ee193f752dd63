using System.Diagnostics;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>The log of requests. Where none is configured, a request costs a look at a null.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>The route of the frame at hand; null before it is found, and between frames.</summary>
    private XRpcRouteSnapshot? _asked;

    /// <summary>Cluster that the frame at hand was tried at, whether it has a server or not; null where none was.</summary>
    private string? _tried;

    /// <summary>When the frame came that has to wait, in Stopwatch ticks; 0 for none.</summary>
    private long _cameAt;

    /// <summary>What happened to the frame that has to wait.</summary>
    private ResponseFlags _requestFlags;

    /// <summary>The log of a route's requests; of those without a route the listener's own.</summary>
    private XRpcRequestLogSnapshot? LogOf(XRpcRouteSnapshot? route) => route is null ? Proxy.Routes.Current.RequestLog : route.Policies.RequestLog;

    /// <summary>The frame at hand was answered here.</summary>
    private void LogHere(int method, RequestOutcome outcome, ResponseFlags flags)
    {
        if (LogOf(_asked) is { } log)
        {
            long came = _cameAt == 0 ? _now : _cameAt;
            Log(log, new RequestEnd
            {
                Route = _asked, Protocol = TCodec.Traits, Method = method, Outcome = outcome, Flags = flags | _requestFlags,
                Duration = Since(came, _owner.Now()), Cluster = _tried,
            });
        }
    }

    /// <summary>The frame at hand was sent, and its end is not seen.</summary>
    private void LogSent(int method, UpstreamLink<TCodec> link)
    {
        if (LogOf(_asked) is { } log)
        {
            long came = _cameAt == 0 ? _now : _cameAt;
            Log(log, new RequestEnd
            {
                Route = _asked, Protocol = TCodec.Traits, Method = method, Outcome = RequestOutcome.Sent, Flags = _requestFlags,
                Duration = Since(came, _owner.Now()), Cluster = link.Cluster.Name, Server = link.Endpoint,
            });
        }
    }

    /// <summary>A request that was sent is answered.</summary>
    private void LogAnswered(RequestState<TCodec> state, in Pending<TCodec> pending, bool isError, long now)
    {
        if (state is { IsLogged: true, Route: { } route } && LogOf(route) is { } log)
        {
            Log(log, new RequestEnd
            {
                Route = route, Protocol = TCodec.Traits, Method = pending.Method, Outcome = isError ? RequestOutcome.Error : RequestOutcome.Response,
                Flags = state.Flags, Duration = Since(state.StartedAt, now), Cluster = state.SentOn?.Cluster.Name, Server = state.SentOn?.Endpoint,
            });
        }
    }

    /// <summary>The parts of a request are answered. Its line names no server, and no cluster where there are several.</summary>
    private void LogSplit(SplitRequest<TCodec> split, ReadOnlySpan<byte> answer, long now)
    {
        if (LogOf(split.Route) is { } log)
        {
            Log(log, new RequestEnd
            {
                Route = split.Route, Protocol = TCodec.Traits, Method = split.Request.Method,
                Outcome = IsError(answer) ? RequestOutcome.Error : RequestOutcome.Response,
                Flags = split.Flags, Duration = Since(split.StartedAt, now), Cluster = split.Cluster,
            });
        }
    }

    /// <summary>The client is gone, or was closed, before the answer was whole.</summary>
    private void LogUnfinished(XRpcRouteSnapshot? route, int method, ResponseFlags flags, long started, string? cluster, EndpointSnapshot? server = null)
    {
        if (route is not null && LogOf(route) is { } log)
        {
            Log(log, new RequestEnd
            {
                Route = route, Protocol = TCodec.Traits, Method = method, Outcome = RequestOutcome.Unfinished,
                Flags = flags | (Record.Flags == ResponseFlags.None ? ResponseFlags.DC : Record.Flags),
                Duration = Since(started, _owner.Now()), Cluster = cluster, Server = server,
            });
        }
    }

    /// <summary>A share of the requests, and each that failed.</summary>
    private void Log(XRpcRequestLogSnapshot log, in RequestEnd end)
    {
        if (end.HasFailed || log.Sampling.Draw(_owner.Worker.Random))
        {
            _owner.RequestLog?.Write(log, end, _downstream);
        }
    }

    private static TimeSpan Since(long from, long to) => Stopwatch.GetElapsedTime(from, Math.Max(from, to));

    private ResponseFlags FlagsOf(LocalReplyReason reason) => reason switch
    {
        LocalReplyReason.NoRoute => ResponseFlags.NR,
        LocalReplyReason.NoHealthyUpstream when _tried is { } absent && !Config.Clusters.ContainsKey(absent) => ResponseFlags.NC,
        LocalReplyReason.NoHealthyUpstream => ResponseFlags.UH,
        LocalReplyReason.ConnectFailed => ResponseFlags.UF,
        LocalReplyReason.UpstreamClosed => ResponseFlags.UC,
        LocalReplyReason.UpstreamBroken => ResponseFlags.UPE,
        LocalReplyReason.Timeout => ResponseFlags.UT,
        LocalReplyReason.Overflow => ResponseFlags.UO,
        LocalReplyReason.RateLimited or LocalReplyReason.TooLarge or LocalReplyReason.AnswerTooLarge => ResponseFlags.RL,
        LocalReplyReason.Denied => ResponseFlags.UAEX,
        LocalReplyReason.BadFrame => ResponseFlags.DPE,
        LocalReplyReason.Configured when _asked is { RejectMessage: null } => ResponseFlags.FI,
        _ => ResponseFlags.None,
    };
}

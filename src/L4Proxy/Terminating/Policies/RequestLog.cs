using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.Policies;

/// <summary>Writes lines about single requests.</summary>
internal interface IRequestLog
{
    /// <summary>One line for each log whose filter takes the request.</summary>
    /// <param name="log">Where to, and in which form.</param>
    /// <param name="end">What is to be said.</param>
    /// <param name="downstream">The client's connection.</param>
    void Write(XRpcRequestLogSnapshot log, in RequestEnd end, Downstream downstream);
}

/// <summary>How a request ended.</summary>
internal enum RequestOutcome
{
    /// <summary>An answer that is no error.</summary>
    Response,

    /// <summary>The server's error, or the proxy's.</summary>
    Error,

    /// <summary>None was awaited: one-way, or a request whose answers are relayed.</summary>
    Sent,

    /// <summary>Its client left before the answer was whole.</summary>
    Unfinished,
}

/// <summary>The end of one request.</summary>
internal readonly ref struct RequestEnd
{
    /// <summary>Null where no route took it, or none was asked.</summary>
    public XRpcRouteSnapshot? Route { get; init; }

    /// <summary>Names of protocol and methods.</summary>
    public required CodecTraits Protocol { get; init; }

    /// <summary>Number of the method.</summary>
    public required int Method { get; init; }

    public required RequestOutcome Outcome { get; init; }

    public ResponseFlags Flags { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Null where it was for no cluster, or for several.</summary>
    public string? Cluster { get; init; }

    /// <summary>The server that it was sent to; null for none, or several.</summary>
    public EndpointSnapshot? Server { get; init; }

    /// <summary>Whether it is logged whatever the sampling says.</summary>
    public bool HasFailed => Outcome is RequestOutcome.Error or RequestOutcome.Unfinished || (Flags & ~ResponseFlags.DI) != 0;
}

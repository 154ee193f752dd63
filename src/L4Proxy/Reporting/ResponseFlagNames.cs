using System.Numerics;

namespace MeshL4.L4Proxy.Reporting;

/// <summary>The names of <see cref="ResponseFlags"/> in Envoy's order of declaration here: short (UF) and long (UpstreamConnectionFailure).</summary>
internal static class ResponseFlagNames
{
    private const int OfRequestsAlone = 2;

    private static readonly (string Short, string Long)[] Names =
    [
        ("UH", "NoHealthyUpstream"), ("UF", "UpstreamConnectionFailure"), ("UO", "UpstreamOverflow"), ("NR", "NoRouteFound"),
        ("URX", "UpstreamRetryLimitExceeded"), ("NC", "NoClusterFound"), ("DT", "DurationTimeout"),
        ("DC", "DownstreamConnectionTermination"), ("UC", "UpstreamConnectionTermination"), ("SI", "StreamIdleTimeout"),
        ("DPE", "DownstreamProtocolError"), ("UPE", "UpstreamProtocolError"), ("RL", "RateLimited"), ("UT", "UpstreamRequestTimeout"),
        ("OM", "OverloadManagerTerminated"), ("LR", "LocalReset"), ("UAEX", "UnauthorizedExternalService"),
        ("NFCF", "NoFilterConfigFound"), ("DI", "DelayInjected"), ("FI", "FaultInjected"),
    ];

    /// <summary>How many flags a connection may have; flag i is <c>1 &lt;&lt; i</c>. Those of requests alone are behind them.</summary>
    public static int Count => Names.Length - OfRequestsAlone;

    /// <summary>The flag of a short name; None for a name that no flag has.</summary>
    public static ResponseFlags Named(string name)
    {
        int at = Array.FindIndex(Names, one => one.Short == name);
        return at < 0 ? ResponseFlags.None : (ResponseFlags)(1 << at);
    }

    public static string ShortAt(int index) => Names[index].Short;

    /// <summary>Comma-separated short names; null when no flag is set.</summary>
    public static string? Short(ResponseFlags flags) => Join(flags, static name => name.Short);

    /// <summary>Comma-separated long names; null when no flag is set.</summary>
    public static string? Long(ResponseFlags flags) => Join(flags, static name => name.Long);

    private static string? Join(ResponseFlags flags, Func<(string Short, string Long), string> pick)
    {
        string? joined = null;
        for (uint left = (uint)flags; left != 0; left &= left - 1)
        {
            int index = BitOperations.TrailingZeroCount(left);
            string name = index < Names.Length ? pick(Names[index]) : "";
            joined = joined is null ? name : joined + "," + name;
        }

        return joined;
    }
}

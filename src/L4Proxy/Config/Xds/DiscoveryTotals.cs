using System.Security.Cryptography;
using System.Text;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Figures of one type on one stream.</summary>
/// <param name="Attempts">Streams on which the type was asked for.</param>
/// <param name="Successes">Responses that were taken.</param>
/// <param name="Rejections">Responses that were refused in whole or part.</param>
/// <param name="Failures">Streams that ended without an answer.</param>
/// <param name="FetchTimeouts">Waits for a first response that ran out.</param>
/// <param name="Version">The version taken last; empty for none.</param>
internal readonly record struct TypeFigures(long Attempts, long Successes, long Rejections, long Failures, long FetchTimeouts, string Version);

/// <summary>
/// Figures of all streams together, in Envoy's names: <c>control_plane.*</c>, <c>listener_manager.lds.*</c>, <c>cluster_manager.cds.*</c>.
/// Each stands once, however many streams there are: a scrape in which a series stands twice is thrown away.
/// </summary>
internal sealed class DiscoveryTotals
{
    private static readonly MetricScope ControlPlane = new("control_plane");
    private readonly SortedDictionary<string, TypeFigures> _types = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _identifiers = new(StringComparer.Ordinal);
    private bool _anyConnected;
    private bool _anyAwaited;
    private long _attempts;
    private long _notAskedFor;
    private long _notTaken;

    /// <summary>Adds a stream.</summary>
    /// <param name="isConnected">Whether it was answered.</param>
    /// <param name="isAwaited">Whether something is wanted of it that is not answered.</param>
    /// <param name="identifier">What its control plane calls itself; empty when it does not say.</param>
    public void Stream(bool isConnected, bool isAwaited, string identifier)
    {
        _anyConnected |= isConnected;
        _anyAwaited |= isAwaited;
        if (identifier.Length > 0)
        {
            _identifiers.Add(identifier);
        }
    }

    /// <summary>Adds a stream's attempts to connect, and its responses that were of no use.</summary>
    public void Responses(long attempts, long notAskedFor, long notTaken)
        => (_attempts, _notAskedFor, _notTaken) = (_attempts + attempts, _notAskedFor + notAskedFor, _notTaken + notTaken);

    /// <summary>Adds a type of a stream. Versions of several streams stand one behind the other, in the order they are added.</summary>
    public void Type(string typeUrl, TypeFigures more)
    {
        TypeFigures sum = _types.GetValueOrDefault(typeUrl);
        _types[typeUrl] = new TypeFigures(
            sum.Attempts + more.Attempts, sum.Successes + more.Successes, sum.Rejections + more.Rejections, sum.Failures + more.Failures,
            sum.FetchTimeouts + more.FetchTimeouts, string.IsNullOrEmpty(sum.Version) ? more.Version : more.Version.Length == 0 ? sum.Version : $"{sum.Version}\n{more.Version}");
    }

    /// <summary>Shows the sums.</summary>
    public void Collect(IMetricVisitor visitor)
    {
        visitor.Gauge(ControlPlane, "connected_state", _anyConnected && !_anyAwaited ? 1 : 0);
        visitor.Counter(ControlPlane, "connection_attempts", _attempts);
        visitor.Counter(ControlPlane, "responses_not_asked_for", _notAskedFor);
        visitor.Counter(ControlPlane, "responses_not_taken", _notTaken);
        foreach (string identifier in _identifiers)
        {
            visitor.Gauge(new MetricScope("", Labels: [KeyValuePair.Create("identifier", identifier)]), "meshl4_control_plane_info", 1);
        }

        foreach ((string typeUrl, TypeFigures type) in _types)
        {
            (string scope, string prefix) = NameOf(typeUrl);
            var own = new MetricScope(scope);
            visitor.Counter(own, prefix + ".update_attempt", type.Attempts);
            visitor.Counter(own, prefix + ".update_success", type.Successes);
            visitor.Counter(own, prefix + ".update_rejected", type.Rejections);
            visitor.Counter(own, prefix + ".update_failure", type.Failures);
            visitor.Counter(own, prefix + ".init_fetch_timeout", type.FetchTimeouts);
            visitor.Gauge(own, prefix + ".version", Number(type.Version));
        }
    }

    private static (string Scope, string Prefix) NameOf(string typeUrl) => typeUrl switch
    {
        TypeUrls.Listener => ("listener_manager", "lds"),
        TypeUrls.Cluster => ("cluster_manager", "cds"),
        TypeUrls.NameTable => ("dns_proxy", "nds"),
        TypeUrls.Endpoints => ("cluster_manager", "eds"),
        _ => ("control_plane", DiscoveryMethods.ShortName(typeUrl)),
    };

    /// <summary>A version as a number that is equal for equal texts; 0 for none.</summary>
    private static long Number(string version)
        => version.Length == 0 ? 0 : BitConverter.ToInt64(SHA256.HashData(Encoding.UTF8.GetBytes(version))) & long.MaxValue;
}

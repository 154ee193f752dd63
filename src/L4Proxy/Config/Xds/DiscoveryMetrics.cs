using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Figures of one stream in Envoy's names: <c>control_plane.*</c>, <c>listener_manager.lds.*</c>, <c>cluster_manager.cds.*</c>.</summary>
internal sealed class DiscoveryMetrics : IMetricSource
{
    private static readonly MetricScope ControlPlane = new("control_plane");
    private readonly ConcurrentDictionary<string, TypeCounters> _types = new(StringComparer.Ordinal);
    private volatile string _identifier = "";
    private int _connected;
    private long _attempts;
    private long _notAskedFor;
    private long _notTaken;

    /// <summary>Whether the present stream was answered.</summary>
    public bool IsConnected => Volatile.Read(ref _connected) == 1;

    /// <summary>What the control plane calls itself.</summary>
    public string Identifier => _identifier;

    /// <summary>A stream is being opened.</summary>
    public void Attempt() => Interlocked.Increment(ref _attempts);

    /// <summary>A type is asked for on a new stream.</summary>
    public void Attempt(string typeUrl) => Interlocked.Increment(ref Of(typeUrl).Attempts);

    public void Connected(string identifier)
    {
        Volatile.Write(ref _connected, 1);
        if (identifier.Length > 0)
        {
            _identifier = identifier;
        }
    }

    public void Disconnected()
    {
        if (Interlocked.Exchange(ref _connected, 0) == 0)
        {
            foreach (TypeCounters type in _types.Values)
            {
                Interlocked.Increment(ref type.Failures);
            }
        }
    }

    /// <summary>A response of a type nobody asked for.</summary>
    public void NotAskedFor() => Interlocked.Increment(ref _notAskedFor);

    /// <summary>A response cannot be read, or met a defect of ours: the stream ended at it.</summary>
    public void NotTaken() => Interlocked.Increment(ref _notTaken);

    /// <summary>A response was taken, or with <paramref name="reasons"/> refused in whole or part.</summary>
    public void Updated(DiscoveryUpdate update, string? reasons)
    {
        TypeCounters type = Of(update.TypeUrl);
        if (reasons is null)
        {
            Interlocked.Increment(ref type.Successes);
            type.VersionText = update.Version;
            return;
        }

        Interlocked.Increment(ref type.Rejections);
    }

    /// <summary>The time for a first response ran out.</summary>
    public void FetchTimedOut(string typeUrl) => Interlocked.Increment(ref Of(typeUrl).FetchTimeouts);

    public void Collect(IMetricVisitor visitor)
    {
        visitor.Gauge(ControlPlane, "connected_state", Volatile.Read(ref _connected));
        visitor.Counter(ControlPlane, "connection_attempts", Volatile.Read(ref _attempts));
        visitor.Counter(ControlPlane, "responses_not_asked_for", Volatile.Read(ref _notAskedFor));
        visitor.Counter(ControlPlane, "responses_not_taken", Volatile.Read(ref _notTaken));
        if (_identifier.Length > 0)
        {
            visitor.Gauge(new MetricScope("", Labels: [KeyValuePair.Create("identifier", _identifier)]), "meshl4_control_plane_info", 1);
        }

        foreach ((string typeUrl, TypeCounters type) in _types)
        {
            (string scope, string prefix) = NameOf(typeUrl);
            var own = new MetricScope(scope);
            visitor.Counter(own, prefix + ".update_attempt", Volatile.Read(ref type.Attempts));
            visitor.Counter(own, prefix + ".update_success", Volatile.Read(ref type.Successes));
            visitor.Counter(own, prefix + ".update_rejected", Volatile.Read(ref type.Rejections));
            visitor.Counter(own, prefix + ".update_failure", Volatile.Read(ref type.Failures));
            visitor.Counter(own, prefix + ".init_fetch_timeout", Volatile.Read(ref type.FetchTimeouts));
            visitor.Gauge(own, prefix + ".version", Number(type.VersionText));
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

    private TypeCounters Of(string typeUrl) => _types.GetOrAdd(typeUrl, static _ => new TypeCounters());

    private sealed class TypeCounters
    {
        public long Attempts;
        public long Successes;
        public long Rejections;
        public long Failures;
        public long FetchTimeouts;
        public volatile string VersionText = "";
    }
}

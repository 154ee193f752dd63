namespace MeshL4.L4Proxy.Reporting;

/// <summary>
/// Where a value belongs, in Envoy's terms: <c>cluster.NAME.upstream_cx_total</c> in /stats and
/// <c>envoy_cluster_upstream_cx_total{envoy_cluster_name="NAME"}</c> in Prometheus text.
/// </summary>
/// <param name="Scope">First word of the name: <c>cluster</c>, <c>listener</c>, <c>tcp</c>, <c>redis</c>, <c>server</c>, ...</param>
/// <param name="TagKey">Prometheus label holding <paramref name="TagValue"/>; empty when there is none.</param>
/// <param name="TagValue">Configured name, never client bytes.</param>
/// <param name="Labels">
/// Further Prometheus labels, in order; null for none. With an empty <paramref name="Scope"/> the metric's name stands alone
/// and takes no <c>envoy_</c> prefix (Istio's own metrics).
/// </param>
internal readonly record struct MetricScope(
    string Scope, string TagKey = "", string TagValue = "", IReadOnlyList<KeyValuePair<string, string>>? Labels = null);

/// <summary>Takes the values of one scrape.</summary>
internal interface IMetricVisitor
{
    void Counter(in MetricScope scope, string name, long value);

    void Gauge(in MetricScope scope, string name, long value);

    /// <summary>A histogram with cumulative counts per upper bound; the last bound is +Inf.</summary>
    void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum);
}

/// <summary>A part that owns counters and can show them. Collect may run on any thread.</summary>
internal interface IMetricSource
{
    void Collect(IMetricVisitor visitor);
}

/// <summary>All sources of the process.</summary>
internal sealed class MetricsRegistry
{
    private readonly Lock _adding = new();
    private IMetricSource[] _sources = [];

    public void Add(IMetricSource source)
    {
        lock (_adding)
        {
            _sources = [.. _sources, source];
        }
    }

    public void Collect(IMetricVisitor visitor)
    {
        foreach (IMetricSource source in Volatile.Read(ref _sources))
        {
            source.Collect(visitor);
        }
    }
}

using System.Buffers;

namespace MeshL4.L4Proxy.Reporting.Metrics;

internal enum MetricKind : byte { Counter, Gauge, Histogram }

/// <summary>One value of a scrape. Names are references to strings the sources hold: a sample costs no text.</summary>
internal readonly record struct MetricSample(MetricScope Scope, string Name, MetricKind Kind, long Value, HistogramSample? Histogram);

/// <summary>Cumulative counts per upper bound, the last bound being +Inf.</summary>
internal sealed record HistogramSample(double[] UpperBounds, long[] Counts, double Sum)
{
    public long Count => Counts.Length == 0 ? 0 : Counts[^1];
}

/// <summary>
/// The values of one scrape, held in a rented array so that those of one name can be brought together: the Prometheus format
/// wants them in one group.
/// </summary>
internal sealed class MetricSamples : IMetricVisitor, IDisposable
{
    private MetricSample[] _samples = ArrayPool<MetricSample>.Shared.Rent(256);
    private int _count;

    /// <summary>Samples in the order of their sources, or sorted after <see cref="Sort"/>.</summary>
    public ReadOnlyMemory<MetricSample> All => _samples.AsMemory(0, _count);

    public static MetricSamples Of(MetricsRegistry metrics)
    {
        MetricSamples samples = new();
        metrics.Collect(samples);
        return samples;
    }

    /// <summary>Brings samples of one name together, then by tag; samples of equal name and tag keep no order.</summary>
    public void Sort() => _samples.AsSpan(0, _count).Sort(static (a, b) =>
    {
        int byScope = string.CompareOrdinal(a.Scope.Scope, b.Scope.Scope);
        int byName = byScope != 0 ? byScope : string.CompareOrdinal(a.Name, b.Name);
        return byName != 0 ? byName : string.CompareOrdinal(a.Scope.TagValue, b.Scope.TagValue);
    });

    public void Counter(in MetricScope scope, string name, long value) => Add(new(scope, name, MetricKind.Counter, value, null));

    public void Gauge(in MetricScope scope, string name, long value) => Add(new(scope, name, MetricKind.Gauge, value, null));

    public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum)
    {
        HistogramSample histogram = new(upperBounds.ToArray(), counts.ToArray(), sum);
        Add(new(scope, name, MetricKind.Histogram, histogram.Count, histogram));
    }

    public void Dispose()
    {
        ArrayPool<MetricSample>.Shared.Return(_samples, clearArray: true);
        _samples = [];
        _count = 0;
    }

    private void Add(in MetricSample sample)
    {
        if (_count == _samples.Length)
        {
            MetricSample[] larger = ArrayPool<MetricSample>.Shared.Rent(_count * 2);
            _samples.CopyTo(larger.AsSpan());
            ArrayPool<MetricSample>.Shared.Return(_samples, clearArray: true);
            _samples = larger;
        }

        _samples[_count++] = sample;
    }
}

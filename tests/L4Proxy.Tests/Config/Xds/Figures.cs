using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Counters and gauges of one collection by dotted name.</summary>
internal sealed class Figures : IMetricVisitor
{
    public Dictionary<string, long> Values { get; } = [];

    public void Counter(in MetricScope scope, string name, long value) => Values[$"{scope.Scope}.{name}"] = value;

    public void Gauge(in MetricScope scope, string name, long value) => Values[$"{scope.Scope}.{name}"] = value;

    public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum)
    {
    }
}

using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Tests.Terminating;

/// <summary>Values of one scrape by Envoy's dotted names; a histogram's value is its count.</summary>
internal sealed class MetricLines : IMetricVisitor
{
    private readonly Dictionary<string, long> _values = [];

    public long Value(string name) => _values[name];

    public void Counter(in MetricScope scope, string name, long value) => _values[$"{scope.Scope}.{scope.TagValue}.{name}"] = value;

    public void Gauge(in MetricScope scope, string name, long value) => _values[$"{scope.Scope}.{scope.TagValue}.{name}"] = value;

    public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum) =>
        _values[$"{scope.Scope}.{scope.TagValue}.{name}"] = counts[^1];
}

using MeshL4.L4Proxy.Config.Xds;
using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Counters and gauges of one collection by dotted name.</summary>
internal sealed class Figures : IMetricVisitor
{
    public Dictionary<string, long> Values { get; } = [];

    /// <summary>All names, as often as they came.</summary>
    public List<string> Names { get; } = [];

    /// <summary>What one stream alone would show.</summary>
    public static Figures Of(DiscoveryMetrics stream)
    {
        var totals = new DiscoveryTotals();
        stream.AddTo(totals, isAwaited: false);
        var figures = new Figures();
        totals.Collect(figures);
        return figures;
    }

    public void Counter(in MetricScope scope, string name, long value) => Take($"{scope.Scope}.{name}", value);

    public void Gauge(in MetricScope scope, string name, long value) => Take($"{scope.Scope}.{name}", value);

    public void Histogram(in MetricScope scope, string name, ReadOnlySpan<double> upperBounds, ReadOnlySpan<long> counts, double sum)
    {
    }

    private void Take(string name, long value)
    {
        Names.Add(name);
        Values[name] = value;
    }
}

namespace MeshL4.Load.Cases;

/// <summary>The figures of one case: a series per metric.</summary>
internal sealed class CaseResult(BenchCase of)
{
    private readonly List<Series> _series = [];

    /// <summary>The case that was run.</summary>
    public BenchCase Case { get; } = of;

    /// <summary>All series, in the order they were first met.</summary>
    public IReadOnlyList<Series> AllSeries => _series;

    /// <summary>Adds one figure of one round.</summary>
    public void Add(string metric, string unit, string subject, double value)
    {
        var series = Find(metric);
        if (series is null)
        {
            _series.Add(series = new Series(metric, unit));
        }

        series.Add(subject, value);
    }

    /// <summary>The series of a metric, or null.</summary>
    public Series? Find(string metric) => _series.Find(s => s.Metric == metric);
}

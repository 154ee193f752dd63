namespace MeshL4.Load.Cases;

/// <summary>The figures of one metric, by subject and round.</summary>
internal sealed class Series(string metric, string unit)
{
    private readonly Dictionary<string, List<double>> _bySubject = [];
    private readonly List<string> _order = [];

    public string Metric { get; } = metric;

    public string Unit { get; } = unit;

    /// <summary>The subjects in the order they were first measured.</summary>
    public IReadOnlyList<string> Subjects => _order;

    public void Add(string subject, double value)
    {
        if (!_bySubject.TryGetValue(subject, out var values))
        {
            _bySubject[subject] = values = [];
            _order.Add(subject);
        }

        values.Add(value);
    }

    /// <summary>The figures of a subject by round, or null when it was not measured.</summary>
    public IReadOnlyList<double>? Of(string subject) => _bySubject.GetValueOrDefault(subject);
}

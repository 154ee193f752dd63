namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>Counters of non-terminal filters: <c>FILTER.PREFIX.NAME</c>. All three come from the configuration. Any thread may add.</summary>
internal sealed class FilterCounters : IMetricSource
{
    private readonly BoundedTable<(string Filter, string Prefix, string Name), Counter> _counters
        = new(static key => key with { Prefix = BoundedTable<string, Counter>.Other }, static key => new Counter(key.Filter, key.Prefix, key.Name));

    /// <summary>Adds one. Names beyond the bound share one prefix called <c>other</c>.</summary>
    public void Add(string filter, string prefix, string name) => _counters.Get((filter, prefix, name)).Increment();

    public void Collect(IMetricVisitor visitor)
    {
        foreach (Counter counter in _counters.Values)
        {
            counter.Collect(visitor);
        }
    }

    private sealed class Counter(string filter, string prefix, string name)
    {
        private long _value;

        public void Increment() => Interlocked.Increment(ref _value);

        // Envoy's prefixes may end with a dot, which separates them from the name there.
        public void Collect(IMetricVisitor visitor)
            => visitor.Counter(new MetricScope(filter, $"envoy_{filter}_prefix", prefix.TrimEnd('.')), name, Volatile.Read(ref _value));
    }
}

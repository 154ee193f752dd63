using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>Counters of non-terminal filters: <c>FILTER.PREFIX.NAME</c>. All three come from the configuration. Any thread may add.</summary>
internal sealed class FilterCounters : IMetricSource
{
    private readonly ConcurrentDictionary<(string Filter, string Prefix, string Name), StrongBox<long>> _counters = new();

    /// <summary>Adds one. Names beyond the bound share one prefix called <c>other</c>.</summary>
    public void Add(string filter, string prefix, string name)
    {
        if (!_counters.TryGetValue((filter, prefix, name), out StrongBox<long>? counter))
        {
            string bounded = _counters.Count < ConnectionCounters.MaxNames ? prefix : "other";
            counter = _counters.GetOrAdd((filter, bounded, name), static _ => new StrongBox<long>());
        }

        Interlocked.Increment(ref counter.Value);
    }

    public void Collect(IMetricVisitor visitor)
    {
        foreach (((string filter, string prefix, string name), StrongBox<long> counter) in _counters)
        {
            // Envoy's prefixes may end with a dot, which separates them from the name there.
            visitor.Counter(new MetricScope(filter, $"envoy_{filter}_prefix", prefix.TrimEnd('.')), name, Volatile.Read(ref counter.Value));
        }
    }
}

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary><c>server.*</c>: uptime, state and memory of the process.</summary>
/// <param name="startTime">Start of the process.</param>
/// <param name="state">Envoy's number of the server's state.</param>
/// <param name="connections">Downstream connections open now.</param>
internal sealed class ServerMetrics(DateTimeOffset startTime, Func<int> state, Func<long> connections) : IMetricSource
{
    private static readonly MetricScope Server = new("server");
    private static readonly MetricScope Runtime = new("dotnet");

    public void Collect(IMetricVisitor visitor)
    {
        ProcessMemory memory = ProcessMemory.Read();
        int current = state();
        visitor.Gauge(Server, "uptime", (long)(TimeProvider.System.GetUtcNow() - startTime).TotalSeconds);
        visitor.Gauge(Server, "state", current);
        visitor.Gauge(Server, "live", current == 0 ? 1 : 0);
        visitor.Gauge(Server, "total_connections", connections());
        visitor.Gauge(Server, "memory_allocated", memory.HeapInUse);
        visitor.Gauge(Server, "memory_heap_size", memory.HeapCommitted);
        visitor.Gauge(Server, "memory_physical_size", memory.Resident);
        visitor.Counter(Runtime, "allocated_bytes_total", memory.Allocated);
        visitor.Counter(Runtime, "gc_gen0_collections_total", GC.CollectionCount(0));
        visitor.Counter(Runtime, "gc_gen1_collections_total", GC.CollectionCount(1));
        visitor.Counter(Runtime, "gc_gen2_collections_total", GC.CollectionCount(2));
        visitor.Counter(Runtime, "gc_pause_microseconds_total", (long)GC.GetTotalPauseDuration().TotalMicroseconds);
        visitor.Gauge(Runtime, "threadpool_threads", ThreadPool.ThreadCount);
        visitor.Gauge(Runtime, "threadpool_queue_length", ThreadPool.PendingWorkItemCount);
    }
}

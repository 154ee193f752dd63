using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Terminating.XRpc;

namespace MeshL4.L4Proxy.Reporting.Metrics;

/// <summary>What the loops hold and met. The figures of a loop are read without stopping it.</summary>
internal sealed class LoopMetrics(IReadOnlyList<LoopWorker> workers, ListenerSet listeners, ConnectionGate gate, ConnectionGate sessions, ClientPlacement placement)
    : IMetricSource
{
    private static readonly MetricScope Scope = new("meshl4");

    public void Collect(IMetricVisitor visitor)
    {
        visitor.Gauge(Scope, "buffers_rented", workers.Sum(static w => w.Loop.Memory.Rented));
        visitor.Gauge(Scope, "buffer_bytes_rented", workers.Sum(static w => w.Loop.Memory.RentedBytes));
        visitor.Gauge(Scope, "splice_pipes_lent", workers.Sum(static w => (long)w.Loop.Pipes.Lent));
        visitor.Counter(Scope, "splice_pipes_rented", workers.Sum(static w => w.Loop.Pipes.Rentals));
        visitor.Counter(Scope, "splice_pipes_refused", workers.Sum(static w => w.Loop.Pipes.Refused));
        visitor.Counter(Scope, "loop_faults", workers.Sum(static w => w.Loop.Faults));
        visitor.Counter(Scope, "accept_descriptors_exhausted", listeners.DescriptorsExhausted);
        visitor.Gauge(Scope, "downstream_connections", gate.Active);
        visitor.Gauge(Scope, "downstream_connections_limit", gate.Limit);
        visitor.Counter(Scope, "downstream_connections_refused", gate.Refused);
        visitor.Counter(Scope, "downstream_connections_moved", placement.Moved);
        visitor.Gauge(Scope, "udp_sessions", sessions.Active);
        visitor.Gauge(Scope, "udp_sessions_limit", sessions.Limit);
        visitor.Counter(Scope, "udp_sessions_refused", sessions.Refused);
        visitor.Gauge(Scope, "listeners_not_open", listeners.Failures.Count);
    }
}

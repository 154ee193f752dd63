using MeshL4.L4Proxy.Reporting;

namespace MeshL4.L4Proxy.Resolving;

/// <summary><c>dns_proxy.*</c>: what became of the questions. Any thread may add.</summary>
internal sealed class DnsCounters : IMetricSource
{
    private static readonly MetricScope Scope = new("dns_proxy");

    /// <summary>Messages from clients, UDP and TCP.</summary>
    public long Requests;

    /// <summary>Of these over TCP.</summary>
    public long TcpRequests;

    /// <summary>Answered from the name table, also with no record of the type.</summary>
    public long Answered;

    /// <summary>Given to a server.</summary>
    public long Forwarded;

    /// <summary>Answered with SERVFAIL because no server answered, or with its refusal.</summary>
    public long UpstreamFailures;

    /// <summary>Questions to servers that timed out or met an error, before another was tried.</summary>
    public long UpstreamRetries;

    /// <summary>Datagrams of a server's address and port with another id or question: dropped.</summary>
    public long UpstreamMismatches;

    /// <summary>Messages that are no question: dropped, or answered with FORMERR or NOTIMP.</summary>
    public long Malformed;

    /// <summary>Answered with SERVFAIL since too many wait for servers.</summary>
    public long Overflow;

    /// <summary>Answered with SERVFAIL since the first name table is awaited.</summary>
    public long BeforeTable;

    /// <summary>Answers cut to what the client takes over UDP.</summary>
    public long Truncated;

    /// <summary>Questions of the proxy that came back to it: refused.</summary>
    public long Loops;

    /// <summary>Answers the kernel did not take.</summary>
    public long SendErrors;

    /// <summary>Clients over TCP closed at once since there are too many.</summary>
    public long TcpRefused;

    /// <summary>Clients over TCP closed since they took too long.</summary>
    public long TcpTimeouts;

    /// <summary>Questions that wait for a server now.</summary>
    public long Pending;

    /// <summary>Clients over TCP now.</summary>
    public long TcpActive;

    /// <summary>Hosts of the name table.</summary>
    public long Hosts;

    public void Collect(IMetricVisitor visitor)
    {
        visitor.Counter(Scope, "requests", Volatile.Read(ref Requests));
        visitor.Counter(Scope, "tcp_requests", Volatile.Read(ref TcpRequests));
        visitor.Counter(Scope, "answered_from_table", Volatile.Read(ref Answered));
        visitor.Counter(Scope, "upstream_requests", Volatile.Read(ref Forwarded));
        visitor.Counter(Scope, "upstream_failures", Volatile.Read(ref UpstreamFailures));
        visitor.Counter(Scope, "upstream_retries", Volatile.Read(ref UpstreamRetries));
        visitor.Counter(Scope, "upstream_mismatches", Volatile.Read(ref UpstreamMismatches));
        visitor.Counter(Scope, "malformed", Volatile.Read(ref Malformed));
        visitor.Counter(Scope, "overflow", Volatile.Read(ref Overflow));
        visitor.Counter(Scope, "before_table", Volatile.Read(ref BeforeTable));
        visitor.Counter(Scope, "truncated", Volatile.Read(ref Truncated));
        visitor.Counter(Scope, "loops", Volatile.Read(ref Loops));
        visitor.Counter(Scope, "send_errors", Volatile.Read(ref SendErrors));
        visitor.Counter(Scope, "tcp_refused", Volatile.Read(ref TcpRefused));
        visitor.Counter(Scope, "tcp_timeouts", Volatile.Read(ref TcpTimeouts));
        visitor.Gauge(Scope, "pending", Volatile.Read(ref Pending));
        visitor.Gauge(Scope, "tcp_active", Volatile.Read(ref TcpActive));
        visitor.Gauge(Scope, "hosts", Volatile.Read(ref Hosts));
    }
}

using System.Diagnostics;
using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Reporting;

/// <summary>
/// What is to be said of one connection. Filled by the loop that owns the connection; <see cref="Complete"/>
/// hands it to the reporter exactly once, whatever path the connection took.
/// </summary>
internal sealed class ConnectionRecord
{
    private IConnectionReporter? _reporter;

    public ConnectionRecord(IConnectionReporter reporter, long id, ListenerSnapshot listener)
    {
        _reporter = reporter;
        Id = id;
        Listener = listener;
    }

    public long Id { get; }

    public ListenerSnapshot Listener { get; set; }

    /// <summary>Null until a chain is chosen.</summary>
    public FilterChainSnapshot? Chain { get; set; }

    public DateTimeOffset StartTime { get; init; } = TimeProvider.System.GetUtcNow();

    public long StartTimestamp { get; } = Stopwatch.GetTimestamp();

    /// <summary>The peer of the accepted socket.</summary>
    public IPEndPoint? DirectRemote { get; set; }

    /// <summary>The client as known: the direct peer, or what a PROXY header said.</summary>
    public IPEndPoint? Remote { get; set; }

    /// <summary>Local address of the accepted socket, or the original destination once that is known.</summary>
    public IPEndPoint? Local { get; set; }

    /// <summary>True when <see cref="Local"/> was restored from SO_ORIGINAL_DST or TPROXY.</summary>
    public bool LocalRestored { get; set; }

    public string? ServerName { get; set; }

    /// <summary>ALPN names offered, comma separated, or the sniffed HTTP version.</summary>
    public string? ApplicationProtocols { get; set; }

    /// <summary><c>tls</c> or <c>raw_buffer</c>.</summary>
    public string TransportProtocol { get; set; } = "raw_buffer";

    public string? ClusterName { get; set; }

    public EndPoint? UpstreamHost { get; set; }

    public IPEndPoint? UpstreamLocal { get; set; }

    /// <summary>Connect attempts made.</summary>
    public int ConnectAttempts { get; set; }

    /// <summary>Time the successful connect took; null when there was none.</summary>
    public TimeSpan? ConnectTime { get; set; }

    /// <summary>Bytes from downstream.</summary>
    public long BytesReceived { get; set; }

    /// <summary>Bytes to downstream.</summary>
    public long BytesSent { get; set; }

    public TimeSpan Duration { get; set; }

    public ResponseFlags Flags { get; set; }

    public EndedBy EndedBy { get; set; }

    /// <summary>One snake_case phrase for %CONNECTION_TERMINATION_DETAILS%; null when it simply finished.</summary>
    public string? Details { get; set; }

    /// <summary>%UPSTREAM_TRANSPORT_FAILURE_REASON%: errno text of the last failed connect.</summary>
    public string? UpstreamFailure { get; set; }

    public bool IsComplete => _reporter is null;

    /// <summary>Adds a flag and keeps the first details given: later failures are consequences.</summary>
    public void Fail(ResponseFlags flag, EndedBy by, string details)
    {
        Flags |= flag;
        if (Details is null)
        {
            Details = details;
            EndedBy = by;
        }
    }

    /// <summary>Reports the connection. The second call and later ones do nothing.</summary>
    public void Complete()
    {
        if (Interlocked.Exchange(ref _reporter, null) is { } reporter)
        {
            Duration = Stopwatch.GetElapsedTime(StartTimestamp);
            reporter.Report(this);
        }
    }
}

/// <summary>Receives finished connections: counters, then access log.</summary>
internal interface IConnectionReporter
{
    /// <summary>Called once per connection on the owning loop; must not block and must not keep the record's mutable parts.</summary>
    void Report(ConnectionRecord record);
}

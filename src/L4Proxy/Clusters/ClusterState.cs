using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Clusters;

/// <summary>Live side of a cluster, kept by name across snapshots. Counts of each loop are written by that loop only.</summary>
internal sealed class ClusterState(string name)
{
    private readonly EndpointStates _endpoints = new();
    private long _activeConnections;
    private long _activeRequests;
    private long _pinnedConnections;

    public string Name { get; } = name;

    /// <summary>Upstream connections open or being opened, over all loops; what the circuit breaker looks at.</summary>
    public long ActiveConnections => Volatile.Read(ref _activeConnections);

    /// <summary>Round-robin cursor shared by all loops.</summary>
    public uint NextCursor() => Interlocked.Increment(ref _cursor);

    private uint _cursor;

    public ClusterCounters Counters { get; } = new();

    /// <summary>Grows whenever an endpoint begins or ends to fail its checks: what was laid out by health is laid out anew then.</summary>
    public uint HealthVersion => Volatile.Read(ref _healthVersion);

    private uint _healthVersion;

    public ICollection<EndpointState> Endpoints => _endpoints.All;

    public EndpointState Endpoint(EndPoint address) => _endpoints.Get(address);

    /// <summary>Forgets endpoints that the newest snapshot no longer has and no connection uses; true when none is left to be forgotten.</summary>
    public bool Retain(ImmutableArray<EndpointSnapshot> present) => _endpoints.Retain(present.Select(static endpoint => endpoint.State).ToHashSet());

    /// <summary>Notes what a health check found. Any thread.</summary>
    public void TellHealth(EndpointState endpoint, bool alive)
    {
        if (endpoint.TellHealth(alive))
        {
            Interlocked.Increment(ref _healthVersion);
        }
    }

    /// <summary>Takes one connection of the circuit breaker's budget; false when it is used up.</summary>
    public bool TryAcquire(CircuitBreakerLimits limits)
    {
        if (Interlocked.Increment(ref _activeConnections) <= limits.MaxConnections)
        {
            return true;
        }

        Interlocked.Decrement(ref _activeConnections);
        return false;
    }

    /// <summary>Requests of RPC protocols in flight, over all loops; counted for clusters with a limit only.</summary>
    public long ActiveRequests => Volatile.Read(ref _activeRequests);

    /// <summary>Takes one request of the circuit breaker's budget; false when it is used up.</summary>
    public bool TryAcquireRequest(CircuitBreakerLimits limits)
    {
        if (Interlocked.Increment(ref _activeRequests) <= limits.MaxRequests)
        {
            return true;
        }

        Interlocked.Decrement(ref _activeRequests);
        Interlocked.Increment(ref Counters.RqPendingOverflow);
        return false;
    }

    /// <summary>Connections that clients of RPC protocols have for themselves, over all loops.</summary>
    public long PinnedConnections => Volatile.Read(ref _pinnedConnections);

    /// <summary>More clients have connections for themselves, or, negative, fewer.</summary>
    public void AddPinned(int more) => Interlocked.Add(ref _pinnedConnections, more);

    /// <summary>More requests are in flight than were told, or, negative, fewer.</summary>
    public void AddRequests(int more) => Interlocked.Add(ref _activeRequests, more);

    public void Release() => Interlocked.Decrement(ref _activeConnections);
}

/// <summary>Counters of a cluster; names are Envoy's <c>cluster.NAME.upstream_*</c>. Any thread may add.</summary>
internal sealed class ClusterCounters
{
    public long CxTotal;
    public long CxConnectFail;
    public long CxConnectTimeout;
    public long CxConnectAttemptsExceeded;
    public long CxOverflow;
    public long CxNoneHealthy;
    public long CxTlsUnsupported;
    public long CxDestroy;
    public long CxRxBytesTotal;
    public long CxTxBytesTotal;
    public long RqPendingOverflow;

    /// <summary>Frames of RPC servers that answer nothing, and that no client has the connection for.</summary>
    public long PushDropped;
}

/// <summary>Live side of one endpoint.</summary>
internal sealed class EndpointState(EndPoint address)
{
    private long _active;
    private long _total;
    private long _connectFail;
    private const long HeardEveryMs = 50;

    private long _probedAtMs;
    private long _heardAtMs = long.MinValue / 2;
    private bool _failsChecks;

    public EndPoint Address { get; } = address;

    /// <summary>Connections open now: what least_request compares.</summary>
    public long Active => Volatile.Read(ref _active);

    public long Total => Volatile.Read(ref _total);

    public long ConnectFail => Volatile.Read(ref _connectFail);

    public void Opened()
    {
        Interlocked.Increment(ref _active);
        Interlocked.Increment(ref _total);
    }

    public void Closed() => Interlocked.Decrement(ref _active);

    public void Failed() => Interlocked.Increment(ref _connectFail);

    /// <summary>It gave no sign of life when it was last asked for one. Only protocols whose proxy checks health ask.</summary>
    public bool FailsChecks => Volatile.Read(ref _failsChecks);

    /// <summary>Whether that is news; the cluster tells its balancing then.</summary>
    public bool TellHealth(bool alive) => FailsChecks == alive && Interlocked.Exchange(ref _failsChecks, !alive) == alive;

    /// <summary>Whether it is time to ask again, for one of those that would: each interval has one of all loops.</summary>
    /// <param name="nowMs">As the loops have it.</param>
    /// <param name="interval">Between two.</param>
    public bool TryProbe(long nowMs, TimeSpan interval)
    {
        long before = Volatile.Read(ref _probedAtMs);
        return nowMs - before >= interval.TotalMilliseconds && Interlocked.CompareExchange(ref _probedAtMs, nowMs, before) == before;
    }

    /// <summary>A loop had a sign of life. Noted now and then only: the loops share the line of memory.</summary>
    public void Heard(long nowMs)
    {
        if (nowMs - Volatile.Read(ref _heardAtMs) > HeardEveryMs)
        {
            Volatile.Write(ref _heardAtMs, nowMs);
        }
    }

    /// <summary>Whether any loop had a sign of life of late.</summary>
    public bool WasHeard(long nowMs, TimeSpan within) => nowMs - Volatile.Read(ref _heardAtMs) <= within.TotalMilliseconds;
}

using System.Collections.Immutable;
using System.Net;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Clusters;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Config.Snapshots;

internal enum ClusterDiscovery { Static, StrictDns, LogicalDns, Eds, OriginalDestination }

internal enum LoadBalancingPolicy { RoundRobin, LeastRequest, Random, ClusterProvided, RingHash, Maglev }

internal enum DnsLookupFamily { Auto, V4Only, V6Only, V4Preferred, All }

internal enum EndpointHealth { Unknown, Healthy, Unhealthy, Draining, Timeout, Degraded }

/// <summary>One compiled cluster with the endpoints known now. A change of endpoints makes a new snapshot; State stays.</summary>
internal sealed record ClusterSnapshot
{
    private Derived<EndpointSet> _endpointSet;

    public required string Name { get; init; }

    public ClusterDiscovery Discovery { get; init; }

    public LoadBalancingPolicy Policy { get; init; }

    /// <summary>least_request: endpoints compared per pick.</summary>
    public int LeastRequestChoices { get; init; } = 2;

    /// <summary>
    /// Percent of endpoints that must be usable for health to count (<c>common_lb_config.healthy_panic_threshold</c>). Below
    /// it connections go to all endpoints; zero switches that off, so that no usable endpoint means UH.
    /// </summary>
    public int HealthyPanicThreshold { get; init; } = 50;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>All endpoints known, of every priority, usable or not.</summary>
    public ImmutableArray<EndpointSnapshot> Endpoints { get; init; } = [];

    /// <summary>Points of the ring, or slots of the Maglev table.</summary>
    public int HashTableSize { get; init; } = HashRing.DefaultSize;

    /// <summary>Whether the hash of a request's key chooses the endpoint.</summary>
    public bool HashesKeys => Policy is LoadBalancingPolicy.RingHash or LoadBalancingPolicy.Maglev;

    /// <summary>Localities share the connections of their priority by <see cref="EndpointGroup.Weight"/>, not by their endpoints.</summary>
    public bool LocalityWeighted { get; init; }

    /// <summary>Names to resolve (strict and logical DNS).</summary>
    public ImmutableArray<DnsTargetSnapshot> DnsTargets { get; init; } = [];

    /// <summary>When names are resolved again.</summary>
    public DnsRefresh DnsRefresh { get; init; } = DnsRefresh.Default;

    public DnsLookupFamily DnsFamily { get; init; }

    /// <summary>Whose its endpoints are; empty when it has them inline or from elsewhere.</summary>
    public string EdsSource { get; init; } = "";

    /// <summary>Name asked for over EDS: <c>service_name</c>, else the cluster's name.</summary>
    public string EdsServiceName { get; init; } = "";

    /// <summary>original_dst: replaces the port of the original destination; null keeps it.</summary>
    public int? OriginalDestinationPort { get; init; }

    public CircuitBreakerLimits Limits { get; init; } = CircuitBreakerLimits.Default;

    /// <summary>Source addresses to bind before connecting (<c>upstream_bind_config</c>), at most one per family.</summary>
    public IPEndPoint? BindV4 { get; init; }

    public IPEndPoint? BindV6 { get; init; }

    public TcpKeepaliveSnapshot? Keepalive { get; init; }

    /// <summary>What connections of a protocol with a login of its own present first; null for none.</summary>
    public ClusterLogin? Login { get; init; }

    /// <summary>True when the only transport socket is TLS: endpoints are unusable in this build.</summary>
    public bool RequiresTls { get; init; }

    /// <summary>False while the endpoints of a cluster that is used lazily are not there.</summary>
    public bool EndpointsKnown { get; init; } = true;

    /// <summary>Whom to tell that the cluster is used; null when its endpoints are subscribed to in any case.</summary>
    public LazyEndpoints? OnDemand { get; init; }

    /// <summary>Live counters, kept across snapshots by name.</summary>
    public required ClusterState State { get; init; }

    /// <summary>Its place for the endpoints that may be picked.</summary>
    internal ref Derived<EndpointSet> EndpointSet() => ref _endpointSet;
}

/// <summary>One endpoint: an <see cref="IPEndPoint"/> or a <c>UnixDomainSocketEndPoint</c>.</summary>
internal sealed record EndpointSnapshot(EndPoint Address, string Hostname, uint Weight, EndpointHealth Health, EndpointState State)
{
    /// <summary>True when the transport socket chosen for this endpoint is TLS, which this build does not speak.</summary>
    public bool RequiresTls { get; init; }

    public EndpointGroup Group { get; init; } = EndpointGroup.Only;

    /// <summary>Whether the configuration has it as one to be used.</summary>
    public bool Offered => !RequiresTls && Health is EndpointHealth.Unknown or EndpointHealth.Healthy or EndpointHealth.Degraded;

    /// <summary>Whether it counts as healthy: it is offered, and fails no health check now.</summary>
    public bool Usable => Offered && !State.FailsChecks;
}

/// <summary>What an endpoint shares with those beside it in its assignment: one object for each locality.</summary>
/// <param name="Priority">0 is used first.</param>
/// <param name="Locality">Place of the locality in the assignment.</param>
/// <param name="Weight">The locality's weight; 0 when it has none, which takes no connections where localities are weighted.</param>
/// <param name="Overprovisioning">Percent by which healthy endpoints are taken to carry more than their share before others help.</param>
internal sealed record EndpointGroup(uint Priority, int Locality, uint Weight, uint Overprovisioning)
{
    public const uint DefaultOverprovisioning = 140;

    public static readonly EndpointGroup Only = new(0, 0, 0, DefaultOverprovisioning);
}

/// <summary>A name and port to resolve, with the weight its addresses take.</summary>
internal sealed record DnsTargetSnapshot(string Host, int Port, uint Weight);

/// <summary>When a name is resolved again.</summary>
/// <param name="Rate">After an answer, and after a failure unless <paramref name="Failure"/> says otherwise.</param>
/// <param name="RespectsTimeToLive">After an answer: when its records have lived, where they say and that is not zero.</param>
/// <param name="Failure">After a failure; null for <paramref name="Rate"/>.</param>
internal sealed record DnsRefresh(TimeSpan Rate, bool RespectsTimeToLive, DnsFailureRefresh? Failure)
{
    public static readonly DnsRefresh Default = new(TimeSpan.FromSeconds(5), false, null);

    /// <summary>What is added to the wait after an answer, at most: a fleet that was told the same does not ask at once.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>The wait after an answer.</summary>
    /// <param name="life">Time to live of its records; null when unknown.</param>
    /// <param name="random">From 0 to below 1.</param>
    public TimeSpan AfterAnswer(TimeSpan? life, double random) => (RespectsTimeToLive && life > TimeSpan.Zero ? life.Value : Rate) + (random * Jitter);

    /// <summary>The wait after failures in a row.</summary>
    /// <param name="failures">How many, from 1.</param>
    /// <param name="random">From 0 to below 1.</param>
    public TimeSpan AfterFailure(int failures, double random) => Failure is null ? Rate
        : random * TimeSpan.FromTicks((long)Math.Min(Failure.First.Ticks * Math.Pow(2, failures - 1), Failure.Longest.Ticks));
}

/// <summary>Exponential back-off with full jitter while a name does not resolve.</summary>
/// <param name="First">Bound of the first wait.</param>
/// <param name="Longest">Bound of the waits it grows to.</param>
internal sealed record DnsFailureRefresh(TimeSpan First, TimeSpan Longest);

/// <summary>Thresholds of the default priority. Defaults are Envoy's: 1024, 1024, 1024, 3.</summary>
internal sealed record CircuitBreakerLimits(uint MaxConnections, uint MaxPendingRequests, uint MaxRequests, uint MaxRetries)
{
    public static readonly CircuitBreakerLimits Default = new(1024, 1024, 1024, 3);

    /// <summary>
    /// Whether requests of RPC protocols are counted: a limit is configured. The default of the others would stop a few clients that
    /// send many requests ahead of their answers.
    /// </summary>
    public bool LimitsRequests { get; init; }
}

/// <summary>A login at the servers of a cluster.</summary>
/// <param name="Codec">Name of the protocol.</param>
/// <param name="Requests">The login as it is sent. Equal when the bytes are; never shown.</param>
internal sealed record ClusterLogin(string Codec, ConnectionProfile Requests);

/// <summary>TCP keep-alive of upstream sockets; a null keeps the kernel's value. Times in seconds.</summary>
internal sealed record TcpKeepaliveSnapshot(int? Probes, int? TimeSeconds, int? IntervalSeconds);

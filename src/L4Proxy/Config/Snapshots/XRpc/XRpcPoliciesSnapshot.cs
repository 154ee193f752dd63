using System.Collections.Immutable;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary>What is done to the requests of a route besides forwarding them. Null and empty members cost nothing.</summary>
internal sealed record XRpcPoliciesSnapshot
{
    public static readonly XRpcPoliciesSnapshot None = new();

    /// <summary>From forwarding a request to its whole answer; zero is unbounded.</summary>
    public TimeSpan Timeout { get; init; }

    /// <summary>Where answers come in order: whether each of them begins the time of those behind it anew, as in Envoy's <c>op_timeout</c>.</summary>
    public bool TimeoutPerAnswer { get; init; }

    public XRpcRetrySnapshot? Retry { get; init; }

    public XRpcHedgeSnapshot? Hedge { get; init; }

    public ImmutableArray<XRpcMirrorSnapshot> Mirrors { get; init; } = [];

    public ImmutableArray<XRpcFaultSnapshot> Faults { get; init; } = [];

    /// <summary>Whether the shares of faults that may take a request are added up; else each has a chance of its own where those before it did not happen.</summary>
    public bool FaultsAddUp { get; init; }

    /// <summary>State shared by all loops; null is unlimited.</summary>
    public TokenBucket? RateLimit { get; init; }

    public XRpcAuthorizationSnapshot? Authorization { get; init; }

    public ImmutableArray<XRpcMetadataMutation> RequestMetadata { get; init; } = [];

    public XRpcRequestLogSnapshot? RequestLog { get; init; }

    /// <summary>Whether a request may be forwarded without looking at any of the above but <see cref="Timeout"/>.</summary>
    public bool IsPlain => Retry is null && Hedge is null && Mirrors.IsEmpty && Faults.IsEmpty && RateLimit is null
        && Authorization is null && RequestMetadata.IsEmpty && RequestLog is null;
}

/// <summary>A share of requests, in millionths: 1,000,000 is all.</summary>
internal readonly record struct Share(uint Millionths)
{
    public const uint All = 1_000_000;

    public static Share Everything => new(All);

    /// <summary>Whether this draw falls into the share.</summary>
    /// <param name="draw">Uniform in 0 to 999,999.</param>
    public bool Takes(uint draw) => draw < Millionths;

    /// <summary>Whether chance falls into the share.</summary>
    public bool Draw(Random random) => Takes((uint)random.Next((int)All));
}

/// <summary>Retries of requests the codec calls idempotent.</summary>
/// <param name="Retries">Tries after the first.</param>
/// <param name="Budget">Bound on retries in flight, as a share of the requests in flight.</param>
/// <param name="Always">Retries in flight that the budget does not bound.</param>
/// <param name="PerTryTimeout">A try without an answer for this long is given up; zero never.</param>
internal sealed record XRpcRetrySnapshot(int Retries, Share Budget, uint Always, TimeSpan PerTryTimeout)
{
    /// <summary>Whether there may be one retry more.</summary>
    /// <param name="retries">Retries in flight.</param>
    /// <param name="requests">Requests in flight.</param>
    public bool Allows(long retries, long requests) => retries < Math.Max(Always, requests * Budget.Millionths / Share.All);
}

/// <summary>Idempotent requests that go to another endpoint too while the first is silent.</summary>
/// <param name="Delay">Silence before each copy.</param>
/// <param name="Copies">Copies of one request at most.</param>
/// <param name="Budget">Copies as a share of the requests that may have one.</param>
internal sealed record XRpcHedgeSnapshot(TimeSpan Delay, int Copies, Share Budget);

/// <summary>Copies to another cluster; their answers are dropped.</summary>
internal sealed record XRpcMirrorSnapshot(string Cluster, Share Fraction, bool ExcludeReads);

/// <summary>An injected delay, an error instead of an answer, or both.</summary>
/// <param name="Fraction">Requests it falls upon.</param>
/// <param name="Methods">Upper case; empty takes all.</param>
/// <param name="Delay">Before the request is forwarded or answered.</param>
/// <param name="AbortMessage">Told in the protocol's error form; null forwards.</param>
internal sealed record XRpcFaultSnapshot(Share Fraction, ImmutableArray<string> Methods, TimeSpan Delay, string? AbortMessage);

/// <summary>DENY before ALLOW; where <paramref name="Allow"/> is not empty one of it must match.</summary>
internal sealed record XRpcAuthorizationSnapshot(ImmutableArray<XRpcAuthorizationRule> Deny, ImmutableArray<XRpcAuthorizationRule> Allow);

/// <summary>All conditions that are set hold; lists hold when one of their members does.</summary>
internal sealed record XRpcAuthorizationRule
{
    public required string Name { get; init; }

    /// <summary>Upper case; empty takes all.</summary>
    public ImmutableArray<string> Methods { get; init; } = [];

    public ImmutableArray<BytesPredicate> Services { get; init; } = [];

    /// <summary>Every key of the request must match one of them under ALLOW, any under DENY.</summary>
    public ImmutableArray<BytesPredicate> Keys { get; init; } = [];

    public ImmutableArray<XRpcMetadataMatch> Metadata { get; init; } = [];

    /// <summary>Address of the client, after PROXY protocol.</summary>
    public ConnectionPredicate? Source { get; init; }
}

/// <summary>Sets a metadata value, or removes it when <paramref name="Value"/> is null. UTF-8.</summary>
internal sealed record XRpcMetadataMutation(string Name, ReadOnlyMemory<byte>? Value);

/// <summary>A line for a share of the requests; for every one that failed.</summary>
internal sealed record XRpcRequestLogSnapshot(Share Sampling, ImmutableArray<XRpcRequestLogTarget> Targets);

/// <summary>One log of requests.</summary>
/// <param name="Log">Where to, and in which form.</param>
/// <param name="Filter">Which requests; null takes all.</param>
internal sealed record XRpcRequestLogTarget(AccessLogSnapshot Log, RequestFilter? Filter);

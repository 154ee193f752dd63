using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Reporting.AccessLogging;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>A non-terminal network filter of a chain: it admits a connection, or notes something about it.</summary>
internal abstract record NetworkFilterSnapshot;

/// <summary><c>envoy.extensions.filters.network.connection_limit</c>; <see cref="Active"/> is State shared by all loops.</summary>
/// <param name="StatPrefix">Names its counters.</param>
/// <param name="MaxConnections">At least 1.</param>
/// <param name="Delay">How long a refused connection is held before it is closed, to slow down clients that come again at once.</param>
internal sealed record ConnectionLimitSnapshot(string StatPrefix, long MaxConnections, TimeSpan Delay) : NetworkFilterSnapshot
{
    public StrongBox<long> Active { get; init; } = new();
}

/// <summary><c>envoy.extensions.filters.network.local_ratelimit</c>: new connections take tokens. The bucket is State.</summary>
internal sealed record LocalRateLimitSnapshot(string StatPrefix, TokenBucket Bucket) : NetworkFilterSnapshot;

internal enum RbacAction { Allow, Deny, Log }

/// <summary>A policy matches when one of its permissions and one of its principals do.</summary>
internal sealed record RbacPolicySnapshot(string Name, ConnectionPredicate Permissions, ConnectionPredicate Principals);

/// <summary>Rules with their policies in the order of their names.</summary>
internal sealed record RbacRulesSnapshot(RbacAction Action, ImmutableArray<RbacPolicySnapshot> Policies)
{
    /// <summary>A matcher tree in place of policies; null for policies. It names an action, whose first letter says what is done.</summary>
    public ChainNameSelector? Tree { get; init; }

    /// <summary>First letters of what <see cref="Tree"/> names.</summary>
    public const char Allowing = 'A', Denying = 'D', Logging = 'L';
}

/// <summary><c>envoy.extensions.filters.network.rbac</c>. Null rules allow everything; rules without a policy allow nothing.</summary>
/// <param name="StatPrefix">Names its counters.</param>
/// <param name="Rules">Enforced.</param>
/// <param name="Shadow">Evaluated and counted only.</param>
/// <param name="ShadowStatPrefix">Stands before the names of the shadow rules' counters.</param>
internal sealed record RbacSnapshot(string StatPrefix, RbacRulesSnapshot? Rules, RbacRulesSnapshot? Shadow, string ShadowStatPrefix) : NetworkFilterSnapshot;

/// <summary><c>envoy.extensions.filters.network.sni_cluster</c>: the server name is the cluster's name.</summary>
internal sealed record SniClusterSnapshot : NetworkFilterSnapshot;

/// <summary>One value of <c>set_filter_state</c>.</summary>
internal sealed record FilterStateEntry(string Key, AccessLogFormat Format, bool SkipIfEmpty);

/// <summary><c>envoy.extensions.filters.network.set_filter_state</c>.</summary>
internal sealed record SetFilterStateSnapshot(ImmutableArray<FilterStateEntry> Entries) : NetworkFilterSnapshot;

using System.Collections.Immutable;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Snapshots.XRpc;

/// <summary>
/// The compiled routes. Those with a condition besides the key prefix are tried first, in their order
/// (<see cref="Conditional"/>); of the others the longest prefix takes the request.
/// </summary>
internal sealed class XRpcRouteTable
{
    private readonly ImmutableArray<XRpcRouteSnapshot> _byPrefix;
    private readonly KeyPrefixIndex _prefixes;
    private volatile Hashing? _hashing;

    /// <summary>Compiles the routes in the order of the configuration.</summary>
    /// <param name="routes">May be empty: then no request has a route.</param>
    /// <param name="ignoreCase">Whether key prefixes are equal in both cases of ASCII letters.</param>
    public XRpcRouteTable(ImmutableArray<XRpcRouteSnapshot> routes, bool ignoreCase)
    {
        Routes = routes;
        IgnoreCase = ignoreCase;
        Conditional = [.. routes.Where(static route => !route.Match.IsKeyPrefixOnly)];
        _byPrefix = [.. routes.Where(static route => route.Match.IsKeyPrefixOnly)];
        _prefixes = new KeyPrefixIndex([.. _byPrefix.Select(static route => route.Match.KeyPrefix)], ignoreCase);
        CatchAll = ByKey([]);
        LooksAtKeys = HasPrefixes || Conditional.Any(static route => !route.Match.KeyPrefix.IsEmpty);
        IsOfOneCluster = routes.SelectMany(ClustersOf).Distinct().Count() <= 1;
        HasAuthorization = routes.Any(static route => route.Policies.Authorization is not null);
        PoliciesDiffer = routes.Any(route => route.Policies.RateLimit != routes[0].Policies.RateLimit
            || route.Policies.Faults != routes[0].Policies.Faults || route.Policies.Mirrors != routes[0].Policies.Mirrors);
    }

    /// <summary>All routes as configured.</summary>
    public ImmutableArray<XRpcRouteSnapshot> Routes { get; }

    /// <summary>Whether bytes that are no frame become plain TCP to <see cref="CatchAll"/>'s cluster.</summary>
    public bool UnknownAsTcp { get; set; }

    /// <summary>Whether a route or a policy asks for a value that only a whole frame tells; long ones are held then.</summary>
    public bool NeedsWholeFrames { get; init; }

    /// <summary>Log of the requests that no route has, which changes with the routes; null for none.</summary>
    public XRpcRequestLogSnapshot? RequestLog { get; init; }

    /// <summary>Whether key prefixes ignore the case of ASCII letters.</summary>
    public bool IgnoreCase { get; }

    /// <summary>Routes to try one by one before the prefixes; empty for most proxies.</summary>
    public ImmutableArray<XRpcRouteSnapshot> Conditional { get; }

    /// <summary>Route of a request without a key when no conditional one takes it; null when there is none.</summary>
    public XRpcRouteSnapshot? CatchAll { get; }

    /// <summary>Rate limits by their place: what their route is called and takes, and nothing for that of the proxy.</summary>
    public ImmutableDictionary<string, TokenBucket> RateLimits { get; init; } = ImmutableDictionary<string, TokenBucket>.Empty;

    /// <summary>Whether all requests go to one cluster: what a server there says of a client's login, every server of the client would.</summary>
    public bool IsOfOneCluster { get; }

    /// <summary>Whether any route allows or denies: then every key of a request, and so its route, has to be known.</summary>
    public bool HasAuthorization { get; }

    /// <summary>Whether routes have rate limits, faults or mirrors of their own: then those of every route that a request has keys of are asked.</summary>
    public bool PoliciesDiffer { get; }

    /// <summary>Whether the key decides; else <see cref="CatchAll"/> takes what no conditional route takes.</summary>
    public bool HasPrefixes => LongestPrefix > 0;

    /// <summary>Whether any route asks how a key begins: then all keys of a request have to be known.</summary>
    public bool LooksAtKeys { get; }

    /// <summary>Bytes of a key that matter for <see cref="ByKey"/>.</summary>
    public int LongestPrefix => _prefixes.LongestPrefix;

    /// <summary>Whether keys choose among the servers of a cluster that a route names, that of its reads included. Looked up once for all clients, until the clusters change.</summary>
    public bool HashesKeys(ProxySnapshot config)
    {
        if (_hashing is not { } hashing || hashing.Version != config.Version)
        {
            bool hashes = Routes.SelectMany(ClustersOf)
                .Any(name => config.Clusters.TryGetValue(name, out ClusterSnapshot? cluster) && cluster.HashesKeys);
            _hashing = hashing = new Hashing(config.Version, hashes);
        }

        return hashing.HashesKeys;
    }

    /// <summary>The first route in the place of one of an earlier table; null when there is none.</summary>
    /// <param name="before">That one.</param>
    public XRpcRouteSnapshot? Like(XRpcRouteSnapshot before) => Routes.FirstOrDefault(before.IsLike);

    /// <summary>Route by the longest prefix; null when none fits.</summary>
    /// <param name="key">The key, or at least its first <see cref="LongestPrefix"/> bytes.</param>
    public XRpcRouteSnapshot? ByKey(ReadOnlySpan<byte> key) => _prefixes.Find(key) is var at and >= 0 ? _byPrefix[at] : null;

    /// <summary>These routes take the place of others: rate limits that stay as they were hold what they held.</summary>
    public void Replace(XRpcRouteTable before)
    {
        foreach ((string place, TokenBucket bucket) in RateLimits)
        {
            if (before.RateLimits.TryGetValue(place, out TokenBucket? own))
            {
                bucket.Continue(own);
            }
        }
    }

    private static IEnumerable<string> ClustersOf(XRpcRouteSnapshot route) =>
        route.Clusters.Select(static choice => choice.Cluster).Concat(route.ReadCluster is { } reads ? [reads] : []);

    private sealed record Hashing(long Version, bool HashesKeys);
}

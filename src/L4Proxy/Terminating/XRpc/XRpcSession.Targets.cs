using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>From a route to a connection. What was found is remembered, so that the common request looks nothing up.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>How often a client without requests, or whose requests have no order, is looked at for what was replaced.</summary>
    private const long RenewEveryMs = 5000;

    private Binding[] _bindings = [];
    private int _bindingCount;
    private UpstreamLink<TCodec>? _pinned;
    private bool _pinnedForOne;

    /// <summary>Nothing was sent on the client's connection yet: a request that ends here gives it back.</summary>
    private bool _pinnedUnused;
    private bool _saidLast;

    /// <summary>The client's connection goes back behind the frame that is being forwarded.</summary>
    private bool _unpinsBehind;

    /// <summary>Route of the request that the pinned connection was opened for: its policies hold for what follows without a key.</summary>
    private XRpcRouteSnapshot? _pinnedRoute;

    /// <summary>The routes it was looked up in.</summary>
    private XRpcRouteTable? _pinnedTable;
    private long _renewedAtMs;
    private ConnectionProfile _profile = ConnectionProfile.None;

    /// <summary>State that this client's server connections are in.</summary>
    public ConnectionProfile Profile
    {
        get => _profile;
        set
        {
            // Equal bytes that are a default login here and the client's own there make different connections at a cluster with a login.
            if (!value.Equals(_profile) || value.DefaultLoginBytes != _profile.DefaultLoginBytes)
            {
                _profile = value;
                for (int i = 0; i < _bindingCount; i++)
                {
                    // The same servers, over other connections.
                    _bindings[i] = _bindings[i] with { Link = null, Profile = ProfileAt(_bindings[i].Cluster) };
                }
            }
        }
    }

    public bool IsPinned => _pinned is not null && !_pinnedForOne;

    public bool IsRelaying => _pinned is { IsRelaying: true };

    /// <summary>Whether keys choose among the servers of a cluster.</summary>
    public bool HashesKeys => Proxy.Routes.Current.HashesKeys(Config);

    /// <summary>The route that the client's own connection was opened for, as the table in use has it.</summary>
    private XRpcRouteSnapshot PinnedRoute()
    {
        XRpcRouteTable table = Proxy.Routes.Current;
        if (!ReferenceEquals(table, _pinnedTable))
        {
            (_pinnedTable, _pinnedRoute) = (table, table.Like(_pinnedRoute!) ?? _pinnedRoute);
        }

        return _pinnedRoute!;
    }

    /// <summary>Route of a request that is about the client's own connection: one that names it, else the one that the connection was opened for.</summary>
    private XRpcRouteSnapshot OwnRoute(in FrameView frame) => RouteFinder.FindConditional(Proxy.Routes.Current, _codec, frame, default) ?? PinnedRoute();

    /// <summary>The server of the client's own connection.</summary>
    public Target? PinnedTarget() =>
        IsPinned && _pinnedRoute is { } route ? new Target(route, _pinned!.Cluster, _pinned.Endpoint) : null;

    /// <summary>The server for a key of a route in one of its clusters, or where the client's own connection is; false when there is none.</summary>
    public bool TryResolve(XRpcRouteSnapshot route, string name, ReadOnlySpan<byte> key, out Target target)
    {
        if (!IsPinned || !SendsTo(route, _pinned!.Cluster.Name) || !Config.Clusters.TryGetValue(_pinned.Cluster.Name, out ClusterSnapshot? cluster))
        {
            return TryBind(route, name, key, out target);
        }

        target = default;
        bool found = cluster.HashesKeys && TryBind(route, cluster.Name, key, out target);
        if (!cluster.HashesKeys || ((!found || !IsSameServer(target.Endpoint, _pinned.Endpoint)) && BelongsToFailing(_pinned, cluster, key)))
        {
            // Where keys choose nobody, any server has them, and this client has its connection here: it may be another than the one it has for
            // the rest. Where they do, others' keys move while the server fails its checks; this client waits as it would without checks.
            target = new Target(route, _pinned.Cluster, _pinned.Endpoint);
            return true;
        }

        return found;
    }

    private static bool SendsTo(XRpcRouteSnapshot route, string cluster)
    {
        foreach (WeightedClusterSnapshot choice in route.Clusters)
        {
            if (choice.Cluster == cluster)
            {
                return true;
            }
        }

        return false;
    }

    private bool BelongsToFailing(UpstreamLink<TCodec> link, ClusterSnapshot cluster, ReadOnlySpan<byte> key) => link.Endpoint.State.FailsChecks
        && LoadBalancer.Pick(cluster, Picking(cluster, key, overlooksChecks: true)) is { } picked && IsSameServer(picked, link.Endpoint);

    private PickContext Picking(ClusterSnapshot cluster, ReadOnlySpan<byte> key, bool overlooksChecks, bool isHome = false) => new()
    {
        OriginalDestination = _downstream.OriginalDestination,
        Random = _owner.Worker.Random,
        Hash = cluster.HashesKeys ? StableHash.Of(_hashTags ? RedisKeyHash.HashTag(key) : key) : isHome ? StableHash.Of(default) : null,
        IsHome = isHome,
        OverlooksChecks = overlooksChecks,
    };

    /// <summary>
    /// Every server of a cluster that has a part of the keys: all where keys choose, else the one that this client has there, or that all clients meet at. An
    /// answer without the part of one that fails its checks, or of a cluster without any, would look whole: they are asked too, and fail.
    /// </summary>
    public void AddAllTargets(XRpcRouteSnapshot route, string name, bool home, SessionExchange<TCodec> exchange)
    {
        if (!Config.Clusters.TryGetValue(name, out ClusterSnapshot? cluster))
        {
            exchange.NumberOf(Target.None(route, name));
            return;
        }

        if (!cluster.HashesKeys && (home ? TryHome(route, name, default, out Target own) : TryBind(route, name, default, out own)))
        {
            exchange.NumberOf(own);
            return;
        }

        bool hasAny = false;
        cluster.OnDemand?.Use(cluster);
        foreach (EndpointSnapshot endpoint in cluster.Endpoints)
        {
            if (endpoint.Offered && (cluster.HashesKeys || !hasAny))
            {
                exchange.NumberOf(new Target(route, cluster, endpoint));
                hasAny = true;
            }
        }

        if (!hasAny)
        {
            exchange.NumberOf(Target.None(route, name));
        }
    }

    /// <summary>The server for a key in a cluster; false when there is none.</summary>
    public bool TryBind(XRpcRouteSnapshot route, string cluster, ReadOnlySpan<byte> key, out Target target)
    {
        int at = Bind(cluster, key);
        target = at >= 0 ? new Target(route, _bindings[at].Cluster, _bindings[at].Endpoint) : default;
        return at >= 0;
    }

    /// <summary>The cluster of a route's requests.</summary>
    public string ClusterOf(XRpcRouteSnapshot route, bool readOnly)
    {
        if (readOnly && route.ReadCluster is { } reads)
        {
            return reads;
        }

        if (route.Clusters.Length == 1)
        {
            return route.Clusters[0].Cluster;
        }

        // A client that is answered in order stays with one cluster; the others draw for every request.
        ulong point = (IsOrdered ? Spread : (ulong)_owner.Worker.Random.NextInt64()) % Math.Max(route.TotalWeight, 1);
        return WeightedClusterChoice.At(route.Clusters, point);
    }

    /// <summary>Index of the binding for a request to a cluster; -1 when it has no usable server.</summary>
    private int Bind(string name, ReadOnlySpan<byte> key)
    {
        for (int i = 0; i < _bindingCount; i++)
        {
            ref Binding binding = ref _bindings[i];
            if (binding.IsSticky && binding.Name == name && (binding.ConfigVersion == Config.Version || (Renew(ref binding) && binding.IsSticky)))
            {
                return binding.Endpoint.State.FailsChecks && !IsPinned ? BindAnew(name, key, i) : i;
            }
        }

        return BindAnew(name, key);
    }

    /// <param name="name">The cluster.</param>
    /// <param name="key">What chooses among its servers, where keys do.</param>
    /// <param name="failing">The binding so far, to a server that fails its checks, and that stays where the others do too; -1 for none.</param>
    private int BindAnew(string name, ReadOnlySpan<byte> key, int failing = -1)
    {
        if (PickAt(name, key, isHome: false, out ClusterSnapshot? cluster) is not { } endpoint)
        {
            return -1;
        }

        return failing >= 0 && endpoint.State.FailsChecks ? failing : BindTo(name, cluster!, endpoint);
    }

    /// <summary>The cluster of a route that all clients meet in.</summary>
    public static string HomeClusterOf(XRpcRouteSnapshot route) => WeightedClusterChoice.At(route.Clusters, 0);

    /// <summary>The server of a route that all clients meet at; on a connection of the client's own that one's. False when there is none.</summary>
    public bool TryResolveHome(XRpcRouteSnapshot route, string home, ReadOnlySpan<byte> key, out Target target) =>
        IsPinned ? TryResolve(route, ClusterOf(route, readOnly: false), key, out target) : TryHome(route, home, key, out target);

    private bool TryHome(XRpcRouteSnapshot route, string cluster, ReadOnlySpan<byte> key, out Target target)
    {
        int at = BindHome(route, cluster, key);
        target = at >= 0 ? new Target(route, _bindings[at].Cluster, _bindings[at].Endpoint) : default;
        return at >= 0;
    }

    /// <summary>
    /// Index of the binding to the server of a cluster that all clients meet at, beside the one that this client stays with; -1 for none. Where keys choose, it
    /// is the one of the key, which may be empty.
    /// </summary>
    private int BindHome(XRpcRouteSnapshot route, string name, ReadOnlySpan<byte> key)
    {
        if (Config.Clusters.TryGetValue(name, out ClusterSnapshot? known) && known.Discovery == ClusterDiscovery.OriginalDestination)
        {
            // The server is the one this client meant to reach: nobody else's, and bound already.
            return Bind(name, default);
        }

        return PickAt(name, key, isHome: true, out ClusterSnapshot? cluster) is { } endpoint ? BindTo(new Target(route, cluster!, endpoint)) : -1;
    }

    private EndpointSnapshot? PickAt(string name, ReadOnlySpan<byte> key, bool isHome, out ClusterSnapshot? cluster)
    {
        if (!Config.Clusters.TryGetValue(name, out cluster) || cluster.RequiresTls)
        {
            return null;
        }

        cluster.OnDemand?.Use(cluster);
        EndpointSnapshot? endpoint = LoadBalancer.Pick(cluster, Picking(cluster, key, overlooksChecks: false, isHome));
        if (endpoint is null)
        {
            Interlocked.Increment(ref cluster.State.Counters.CxNoneHealthy);

            // Where checks found nobody healthy, the pool asks on.
            _owner.Pool(name).Settings = Proxy.Upstream;
        }

        return endpoint;
    }

    private int BindTo(string name, ClusterSnapshot cluster, EndpointSnapshot endpoint)
    {
        bool sticky = IsOrdered && !cluster.HashesKeys;
        for (int i = 0; i < _bindingCount; i++)
        {
            if (_bindings[i].Name == name && ((sticky && _bindings[i].IsSticky) || IsSameServer(_bindings[i].Endpoint, endpoint)))
            {
                _bindings[i] = Rebound(_bindings[i], cluster, endpoint, sticky);
                return i;
            }
        }

        return Add(new Binding(name, Config.Version, cluster, endpoint, null, sticky) { Profile = ProfileAt(cluster) });
    }

    /// <summary>Index of a new binding.</summary>
    private int Add(in Binding binding)
    {
        if (_bindingCount == _bindings.Length)
        {
            Array.Resize(ref _bindings, Math.Max(1, _bindings.Length * 2));
        }

        _bindings[_bindingCount] = binding;
        return _bindingCount++;
    }

    /// <summary>The configuration changed: a server that is still there is kept, by a client that stays with one: it does not where keys choose now.</summary>
    private bool Renew(ref Binding binding)
    {
        if (!Config.Clusters.TryGetValue(binding.Name, out ClusterSnapshot? cluster))
        {
            return false;
        }

        binding.IsSticky &= !cluster.HashesKeys;
        if (!ReferenceEquals(cluster, binding.Cluster) && !UpstreamPool<TCodec>.Has(cluster, binding.Endpoint.Address)
            && cluster.Discovery != ClusterDiscovery.OriginalDestination)
        {
            return false;
        }

        binding = Rebound(binding, cluster, binding.Endpoint, binding.IsSticky);
        return true;
    }

    /// <summary>A client does not keep clusters as they were at its last request.</summary>
    private void ForgetReplaced(long ms)
    {
        if (_bindingCount == 0 || ms - _renewedAtMs < RenewEveryMs)
        {
            return;
        }

        _renewedAtMs = ms;
        for (int i = _bindingCount - 1; i >= 0; i--)
        {
            if (_bindings[i].ConfigVersion != Config.Version && !Renew(ref _bindings[i]))
            {
                _bindings[i] = _bindings[--_bindingCount];
                _bindings[_bindingCount] = default;
            }
        }

        _config = null;
    }

    /// <summary>A binding under the running configuration. A server that stays keeps its connection.</summary>
    private Binding Rebound(in Binding before, ClusterSnapshot cluster, EndpointSnapshot endpoint, bool sticky)
    {
        bool sameLogin = ReferenceEquals(before.Cluster, cluster) || before.Cluster.Login == cluster.Login;
        if (!sameLogin && before.Link is { } link)
        {
            // Logged in by what is no longer so: nothing new is sent there.
            link.IsDraining = true;
        }

        return new Binding(before.Name, Config.Version, cluster, endpoint, IsSameServer(before.Endpoint, endpoint) ? before.Link : null, sticky)
        {
            Profile = sameLogin ? before.Profile : ProfileAt(cluster),
        };
    }

    /// <summary>By address: every update of the configuration has snapshots of its own.</summary>
    private static bool IsSameServer(EndpointSnapshot one, EndpointSnapshot other) => ReferenceEquals(one, other) || one.Address.Equals(other.Address);

    /// <summary>A shared connection to a bound server; null with a pause when the client has to wait for its earlier answers first.</summary>
    private UpstreamLink<TCodec>? SharedLink(int at)
    {
        ref Binding binding = ref _bindings[at];
        if (binding.Link is { CanTake: true } link && !_leftSome)
        {
            return link;
        }

        if ((_leftSome || binding.Link is { State: not LinkState.Closed }) && InFlight > 0 && IsOrdered)
        {
            // On another connection this request could overtake those before it.
            _pause = Pause.Quiet;
            return null;
        }

        _leftSome = false;
        binding.Link = PoolFor(binding).Shared(binding.Cluster, binding.Endpoint, binding.Profile, Math.Max(Proxy.Upstream.ConnectionsPerEndpoint, 1), Spread);
        return binding.Link;
    }

    /// <summary>A connection for this client alone; null at the bound.</summary>
    private UpstreamLink<TCodec>? PrivateLink(in Binding binding, bool forOne)
    {
        UpstreamLink<TCodec>? link = BorrowedLink(binding);
        if (link is { State: not LinkState.Closed })
        {
            link.PinnedTo = this;
            (_pinned, _pinnedForOne, _pinnedUnused) = (link, forOne, true);
        }

        return link;
    }

    /// <summary>A connection on which nothing is due; null at the bound.</summary>
    private UpstreamLink<TCodec>? BorrowedLink(in Binding binding) =>
        PoolFor(binding).Borrow(binding.Cluster, binding.Endpoint, binding.Profile, Proxy.Upstream.MaxPinnedConnections);

    /// <summary>Where the connections of a binding come from; the log of the client's connection names the first it had one of.</summary>
    private UpstreamPool<TCodec> PoolFor(in Binding binding)
    {
        UpstreamPool<TCodec> pool = _owner.Pool(binding.Name);
        pool.Settings = Proxy.Upstream;
        Record.ClusterName ??= binding.Name;
        Record.UpstreamHost ??= binding.Endpoint.Address;
        return pool;
    }

    /// <summary>The client's state at a cluster: behind the cluster's own login, if it has one for this protocol.</summary>
    private ConnectionProfile ProfileAt(ClusterSnapshot cluster) =>
        cluster.Login is { } login && login.Codec == TCodec.Traits.Name ? _profile.Behind(login.Requests) : _profile;

    /// <summary>
    /// Whether the client's own connection is as new behind an answer that ends its time: what was to take state back did not when it was refused. What had
    /// a connection for one request alone left no state.
    /// </summary>
    private bool IsAsNewBehind(in FrameHead reply) => _pinnedForOne || reply.Kind != FrameKind.ErrorResponse;

    /// <summary>Whether the client's own connection is given up with this request: also in the middle of it, where its server does not take the rest.</summary>
    private bool EndsOwn(in Pending<TCodec> pending) =>
        pending.Has(PendingFlags.Unpin) || (_pinnedForOne && _streaming is { } link && link == _pinned && _streamed == pending.Sequence);

    /// <summary>The request that the client's own connection was borrowed for is not sent: those behind it have servers of their own.</summary>
    private void UnpinUnused()
    {
        if (_pinnedUnused && _pinned is { } link)
        {
            Unpin(link, reusable: true);
        }
    }

    /// <summary>Gives the client's own connection up.</summary>
    private void Unpin(UpstreamLink<TCodec> link, bool reusable)
    {
        if (_pinned != link)
        {
            return;
        }

        if (_streaming == link && reusable)
        {
            // Lent to the next client now, it would have that one's requests inside this frame.
            _unpinsBehind = true;
            return;
        }

        SkipRestFor(link);
        (_pinned, _unpinsBehind) = (null, false);
        link.PinnedTo = null;
        link.IsRelaying = false;
        link.LastUsedMs = _owner.Loop.NowMilliseconds;
        if (!reusable || (link.InFlight > 0 && (IsOrdered || !_pinnedForOne)))
        {
            // One that was for a long frame alone is given back with its answer due, where answers come in any order: nobody else has it before that came.
            link.Close(LocalReplyReason.UpstreamClosed, reset: false);
        }
    }

    /// <summary>
    /// The client's last request was sent, or its beginning. A connection that it has for this alone ends behind it: its server may end it, and would under
    /// the requests of others.
    /// </summary>
    /// <returns>Whether it is whole.</returns>
    private bool SaysLastOn(UpstreamLink<TCodec> link)
    {
        _saidLast = true;
        if (_pinnedForOne && _pinned == link)
        {
            link.TakeNoMore();
        }

        return _streaming is null;
    }

    /// <summary>The rest of a frame that was being forwarded goes nowhere.</summary>
    private void SkipRestFor(UpstreamLink<TCodec> link)
    {
        if (_streaming == link)
        {
            (_streaming, _skipping) = (null, true);
        }
    }

    /// <summary>A server this client uses, as found under one configuration.</summary>
    private record struct Binding(
        string Name, long ConfigVersion, ClusterSnapshot Cluster, EndpointSnapshot Endpoint, UpstreamLink<TCodec>? Link, bool IsSticky)
    {
        /// <summary>Whether the cluster has a limit of requests in flight.</summary>
        public bool IsLimited { get; init; } = Cluster.Limits.LimitsRequests;

        /// <summary>What the cluster's connections are told first.</summary>
        public required ConnectionProfile Profile { get; init; }
    }
}

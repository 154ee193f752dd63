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
    /// <summary>How often an idle client is looked at for what was replaced.</summary>
    private const long RenewEveryMs = 5000;

    private Binding[] _bindings = [];
    private int _bindingCount;
    private UpstreamLink<TCodec>? _pinned;
    private bool _pinnedForOne;

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
                _bindingCount = 0;
            }
        }
    }

    public bool IsPinned => _pinned is not null && !_pinnedForOne;

    public bool IsRelaying => _pinned is { IsRelaying: true };

    /// <summary>Whether keys choose among the servers of a cluster.</summary>
    public bool HashesKeys => Proxy.Routes.Current.HashesKeys(Config);

    /// <summary>
    /// Route of a request that is about the client's own connection: one that names it, else the one that the connection was opened for, as the
    /// table in use has it.
    /// </summary>
    private XRpcRouteSnapshot? OwnRoute(in FrameView frame)
    {
        XRpcRouteTable table = Proxy.Routes.Current;
        if (!ReferenceEquals(table, _pinnedTable))
        {
            (_pinnedTable, _pinnedRoute) = (table, table.Named(_pinnedRoute!.Name) ?? _pinnedRoute);
        }

        return RouteFinder.FindConditional(table, _codec, frame, default) ?? _pinnedRoute;
    }

    /// <summary>The server of the client's own connection.</summary>
    public Target? PinnedTarget() =>
        IsPinned && _pinnedRoute is { } route ? new Target(route, _pinned!.Cluster, _pinned.Endpoint) : null;

    /// <summary>The server for a key of a route; false when there is none.</summary>
    public bool TryResolve(XRpcRouteSnapshot route, ReadOnlySpan<byte> key, bool readOnly, out Target target)
    {
        string cluster = ClusterOf(route, readOnly);
        int at = Bind(cluster, key);
        target = at >= 0 ? new Target(route, _bindings[at].Cluster, _bindings[at].Endpoint) : default;
        if (IsPinned && _pinned!.Cluster.Name == cluster && (at < 0 || !IsSameServer(target.Endpoint, _pinned.Endpoint)) && BelongsToFailing(_pinned, key))
        {
            // Others' keys move while the server fails its checks. This client has its connection there, and waits as it would without checks.
            target = new Target(route, _pinned.Cluster, _pinned.Endpoint);
            return true;
        }

        return at >= 0;
    }

    private bool BelongsToFailing(UpstreamLink<TCodec> link, ReadOnlySpan<byte> key)
    {
        if (!link.Endpoint.State.FailsChecks || !Config.Clusters.TryGetValue(link.Cluster.Name, out ClusterSnapshot? cluster))
        {
            return false;
        }

        return cluster.HashesKeys
            ? LoadBalancer.Pick(cluster, Picking(cluster, key, overlooksChecks: true)) is { } picked && IsSameServer(picked, link.Endpoint)
            : IsOrdered;
    }

    private PickContext Picking(ClusterSnapshot cluster, ReadOnlySpan<byte> key, bool overlooksChecks) => new()
    {
        OriginalDestination = _downstream.OriginalDestination, Random = _downstream.Worker.Random, Hash = HashOf(cluster, key), OverlooksChecks = overlooksChecks,
    };

    /// <summary>Every server of a route, replicas excluded.</summary>
    public void AddAllTargets(XRpcRouteSnapshot route, SessionExchange<TCodec> exchange)
    {
        foreach (WeightedClusterSnapshot choice in route.Clusters)
        {
            if (Config.Clusters.TryGetValue(choice.Cluster, out ClusterSnapshot? cluster))
            {
                foreach (EndpointSnapshot endpoint in cluster.Endpoints)
                {
                    if (endpoint.Offered)
                    {
                        // One that fails its checks too: an answer without its part would look whole.
                        exchange.NumberOf(new Target(route, cluster, endpoint));
                    }
                }
            }
        }
    }

    private string ClusterOf(XRpcRouteSnapshot route, bool readOnly)
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
        ulong point = (IsOrdered ? Spread : (ulong)_downstream.Worker.Random.NextInt64()) % Math.Max(route.TotalWeight, 1);
        return WeightedClusterChoice.At(route.Clusters, point);
    }

    /// <summary>Index of the binding for a request to a cluster; -1 when it has no usable server.</summary>
    private int Bind(string name, ReadOnlySpan<byte> key)
    {
        for (int i = 0; i < _bindingCount; i++)
        {
            ref Binding binding = ref _bindings[i];
            if (binding.IsSticky && binding.Name == name && (binding.ConfigVersion == Config.Version || Renew(ref binding)))
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
        if (!Config.Clusters.TryGetValue(name, out ClusterSnapshot? cluster) || cluster.RequiresTls)
        {
            return -1;
        }

        cluster.OnDemand?.Use(cluster);
        if (LoadBalancer.Pick(cluster, Picking(cluster, key, overlooksChecks: false)) is not { } endpoint)
        {
            Interlocked.Increment(ref cluster.State.Counters.CxNoneHealthy);

            // Where checks found nobody healthy, the pool asks on.
            _owner.Pool(name).Settings = Proxy.Upstream;
            return -1;
        }

        return failing >= 0 && endpoint.State.FailsChecks ? failing : BindTo(name, cluster, endpoint);
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

    /// <summary>The configuration changed: a server that is still there is kept.</summary>
    private bool Renew(ref Binding binding)
    {
        if (!Config.Clusters.TryGetValue(binding.Name, out ClusterSnapshot? cluster))
        {
            return false;
        }

        if (!ReferenceEquals(cluster, binding.Cluster) && !UpstreamPool<TCodec>.Has(cluster, binding.Endpoint.Address)
            && cluster.Discovery != ClusterDiscovery.OriginalDestination)
        {
            return false;
        }

        binding = Rebound(binding, cluster, binding.Endpoint, binding.IsSticky);
        return true;
    }

    /// <summary>A client without requests does not keep clusters as they were at its last one.</summary>
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
        if (binding.Link is { CanTake: true } link)
        {
            return link;
        }

        if (binding.Link is { State: not LinkState.Closed } && InFlight > 0 && IsOrdered)
        {
            // On another connection this request could overtake those before it.
            _pause = Pause.Quiet;
            return null;
        }

        XRpcUpstreamSnapshot settings = Proxy.Upstream;
        UpstreamPool<TCodec> pool = _owner.Pool(binding.Name);
        pool.Settings = settings;
        binding.Link = pool.Shared(binding.Cluster, binding.Endpoint, binding.Profile, Math.Max(settings.ConnectionsPerEndpoint, 1), Spread);
        Record.ClusterName ??= binding.Name;
        Record.UpstreamHost ??= binding.Endpoint.Address;
        return binding.Link;
    }

    /// <summary>A connection for this client alone; null at the bound.</summary>
    private UpstreamLink<TCodec>? PrivateLink(in Binding binding, bool forOne)
    {
        (ClusterSnapshot cluster, EndpointSnapshot endpoint) = (binding.Cluster, binding.Endpoint);
        UpstreamPool<TCodec> pool = _owner.Pool(cluster.Name);
        pool.Settings = Proxy.Upstream;
        UpstreamLink<TCodec>? link = pool.Borrow(cluster, endpoint, binding.Profile, Proxy.Upstream.MaxPinnedConnections);
        Record.ClusterName ??= cluster.Name;
        Record.UpstreamHost ??= endpoint.Address;
        if (link is { State: not LinkState.Closed })
        {
            link.PinnedTo = this;
            (_pinned, _pinnedForOne) = (link, forOne);
        }

        return link;
    }

    /// <summary>The client's state at a cluster: behind the cluster's own login, if it has one for this protocol.</summary>
    private ConnectionProfile ProfileAt(ClusterSnapshot cluster) =>
        cluster.Login is { } login && login.Codec == TCodec.Traits.Name ? _profile.Behind(login.Requests) : _profile;

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
        if (!reusable || link.InFlight > 0)
        {
            link.Close(LocalReplyReason.UpstreamClosed, reset: false);
        }
    }

    /// <summary>The rest of a frame that was being forwarded goes nowhere.</summary>
    private void SkipRestFor(UpstreamLink<TCodec> link)
    {
        if (_streaming == link)
        {
            (_streaming, _skipping) = (null, true);
        }
    }

    /// <summary>Requests without a key hash as the empty one does, so that they meet at one server.</summary>
    private ulong? HashOf(ClusterSnapshot cluster, ReadOnlySpan<byte> key) => cluster.HashesKeys ? StableHash.Of(_hashTags ? RedisKeyHash.HashTag(key) : key) : null;

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

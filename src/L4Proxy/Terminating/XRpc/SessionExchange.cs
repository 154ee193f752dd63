using System.Buffers;
using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>A server that a request may go to.</summary>
internal readonly record struct Target(XRpcRouteSnapshot Route, ClusterSnapshot Cluster, EndpointSnapshot Endpoint)
{
    /// <summary>Its cluster's, whether that has a server or not; null for no target.</summary>
    public string? ClusterName => Absent ?? Cluster?.Name;

    /// <summary>Null; else the name of a cluster that has no server, whose part of the keys nobody has: there is nothing but the route then.</summary>
    public string? Absent { get; private init; }

    /// <summary>The part of a cluster without a server.</summary>
    public static Target None(XRpcRouteSnapshot route, string cluster) => new(route, null!, null!) { Absent = cluster };

    /// <summary>Whether a request has one place at both.</summary>
    public bool IsSame(in Target other) => Absent is not null || other.Absent is not null
        ? Absent == other.Absent
        : Cluster.Name == other.Cluster.Name && Endpoint.Address.Equals(other.Endpoint.Address);
}

/// <summary>The runtime as conversations see it. One for all clients of a loop: it is bound to one client for one call.</summary>
internal sealed class SessionExchange<TCodec>(XRpcLoop<TCodec> owner) : IExchange
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>In place of the name of a cluster: the keys that a copy is not for. No cluster has an empty name.</summary>
    private const string LeftOut = "";

    private readonly ScratchWriter _answer = new();
    private readonly ScratchWriter _before = new();
    private readonly ScratchWriter _replacement = new();
    private readonly ScratchWriter _notes = new();
    private readonly ScratchWriter _fragmentBytes = new();
    private readonly List<Target> _targets = [];
    private readonly List<(int Target, int Start)> _fragments = [];
    private readonly ScratchWriter _keyBytes = new();
    private readonly List<(int Start, int Length, XRpcRouteSnapshot Route)> _keys = [];
    private readonly List<XRpcRouteSnapshot> _conditional = [];
    private XRpcSession<TCodec> _session = null!;
    private string? _copyTo;
    private ImmutableArray<XRpcMirrorSnapshot> _copyOf;
    private bool _used;
    private bool _lacksSome;

    public bool RoutesByKey => _copyTo is not null || _session.Proxy.Routes.Current.LooksAtKeys || _session.HashesKeys || _session.Proxy.Routes.Current.HasAuthorization;

    public bool IsQuiet => _session.InFlight == 0;

    public ConnectionProfile Profile
    {
        get => _session.Profile;
        set => _session.Profile = value;
    }

    public bool IsPinned => _session.IsPinned;

    public bool IsRelaying => _session.IsRelaying;

    public int PinnedTarget => _session.PinnedTarget() is { } target ? NumberOf(target) : -1;

    public IBufferWriter<byte> Answer => Use(_answer);

    public IBufferWriter<byte> Before => Use(_before);

    public IBufferWriter<byte> Replacement => Use(_replacement);

    public IBufferWriter<byte> Notes => Use(_notes);

    /// <summary>What was written to <see cref="Answer"/>.</summary>
    public ReadOnlySpan<byte> AnswerBytes => _answer.Written;

    public ReadOnlySpan<byte> BeforeBytes => _before.Written;

    public ReadOnlySpan<byte> ReplacementBytes => _replacement.Written;

    public ReadOnlySpan<byte> NotesBytes => _notes.Written;

    /// <summary>A route that rejects, which a key belongs to; null for none.</summary>
    public XRpcRouteSnapshot? Rejecting { get; private set; }

    /// <summary>What a key belongs to that no server has, asked for on a connection of the client's own, where it cannot be a part; null for none.</summary>
    public Target? Lacking { get; private set; }

    /// <summary>Keys that the conversation asked about, where policies look at keys.</summary>
    public int KeyCount => _keys.Count;

    /// <summary>One of them, and the route it belongs to.</summary>
    public ReadOnlySpan<byte> KeyAt(int index, out XRpcRouteSnapshot route)
    {
        (int start, int length, route) = _keys[index];
        return _keyBytes.Written.Slice(start, length);
    }

    /// <summary>The policies of the routes that the keys belong to, where routes have some of their own.</summary>
    public KeyPolicies Policies { get; } = new();

    public int FragmentCount => _fragments.Count;

    /// <summary>Binds to a client, for one call.</summary>
    public SessionExchange<TCodec> For(XRpcSession<TCodec> session)
    {
        (_session, _copyTo) = (session, null);
        if (_used)
        {
            Clear();
        }

        return this;
    }

    /// <summary>Binds to a client, for a copy of its request: all targets are servers of that cluster, whatever the routes say.</summary>
    /// <param name="session">The client.</param>
    /// <param name="cluster">The cluster.</param>
    /// <param name="of">Keys of routes with other mirrors than these are left out; default leaves none out.</param>
    public SessionExchange<TCodec> ForCopy(XRpcSession<TCodec> session, string cluster, ImmutableArray<XRpcMirrorSnapshot> of = default)
    {
        For(session);
        (_copyTo, _copyOf) = (cluster, of);
        return this;
    }

    /// <summary>Notes which conditional routes take the frame the conversation is asked about next.</summary>
    public void Consider(in TCodec codec, in FrameView frame)
    {
        XRpcRouteTable table = _session.Proxy.Routes.Current;
        if (!table.Conditional.IsEmpty)
        {
            _used = true;
            RouteFinder.AddConditional(table, codec, frame, _conditional);
        }
    }

    public int TargetOf(ReadOnlySpan<byte> key, bool readOnly, out int removeKeyBytes)
    {
        int target = Locate(key, readOnly, isHome: false, out XRpcRouteSnapshot? route);
        removeKeyBytes = target >= 0 && route!.RemoveKeyPrefix ? route.Match.KeyPrefix.Length : 0;
        return target;
    }

    public int HomeOf(ReadOnlySpan<byte> key) => Locate(key, readOnly: false, isHome: true, out _);

    /// <summary>The number of the server for a key, or of the lack of one, and its route; -1 when no route takes the key.</summary>
    private int Locate(ReadOnlySpan<byte> key, bool readOnly, bool isHome, out XRpcRouteSnapshot? route)
    {
        route = RouteOf(key);
        if (route is { RejectMessage: not null })
        {
            (_used, Rejecting) = (true, route);
            return -1;
        }

        if (route is not null && _session.Proxy.Routes.Current.HasAuthorization)
        {
            _used = true;
            _keys.Add((_keyBytes.Count, key.Length, route));
            _keyBytes.Write(key);
        }

        if (route is not null && _session.Proxy.Routes.Current.PoliciesDiffer)
        {
            if (_copyTo is not null && !_copyOf.IsDefault && route.Policies.Mirrors != _copyOf)
            {
                return NumberOf(Target.None(route, LeftOut));
            }

            _used = true;
            Policies.Add(route);
        }

        return route is null ? -1 : _copyTo is { } mirror ? NumberAt(mirror, route, key)
            : NumberAt(isHome ? XRpcSession<TCodec>.HomeClusterOf(route) : _session.ClusterOf(route, readOnly), isHome, route, key);
    }

    /// <summary>A copy has no part that fails.</summary>
    private int NumberAt(string mirror, XRpcRouteSnapshot route, ReadOnlySpan<byte> key) =>
        _session.TryBind(route, mirror, key, out Target target) ? NumberOf(target) : -1;

    private int NumberAt(string cluster, bool isHome, XRpcRouteSnapshot route, ReadOnlySpan<byte> key)
    {
        if (!(_lacksSome && IsAbsent(cluster))
            && (isHome ? _session.TryResolveHome(route, cluster, key, out Target found) : _session.TryResolve(route, cluster, key, out found)))
        {
            return NumberOf(found);
        }

        Target none = Target.None(route, cluster);
        if (_session.IsPinned)
        {
            (_used, Lacking) = (true, none);
            return -1;
        }

        _lacksSome = true;
        return NumberOf(none);
    }

    /// <summary>Whether a key was asked for there already: of many keys the lack is found once, and counted once.</summary>
    private bool IsAbsent(string cluster)
    {
        foreach (Target target in _targets)
        {
            if (target.Absent == cluster)
            {
                return true;
            }
        }

        return false;
    }

    public int AllTargets(bool home = false)
    {
        _used = true;
        _targets.Clear();
        if (_conditional.Find(static route => route.Match.KeyPrefix.IsEmpty) is { } only)
        {
            // A request without a key belongs to it alone.
            Rejecting = only.RejectMessage is null ? null : only;
            AddAllTargets(only, home);
            return _targets.Count;
        }

        XRpcRouteTable table = _session.Proxy.Routes.Current;
        if (table.CatchAll is { } all)
        {
            // First, so that its policies hold where several routes lead to one server: requests without a key are its own.
            AddAllTargets(all, home);
        }

        foreach (XRpcRouteSnapshot route in table.Routes)
        {
            if (_copyTo is not null && _targets.Count > 0)
            {
                // All routes have the servers of the one cluster.
                break;
            }

            if (!ReferenceEquals(route, table.CatchAll) && MayTake(route))
            {
                AddAllTargets(route, home);
            }
        }

        return _targets.Count;
    }

    /// <summary>Whether a route takes the frame, whatever its keys are: one whose conditions do not has no part of it.</summary>
    public bool MayTake(XRpcRouteSnapshot route)
    {
        if (route.Match.IsKeyPrefixOnly)
        {
            return true;
        }

        foreach (XRpcRouteSnapshot taking in _conditional)
        {
            if (ReferenceEquals(taking, route))
            {
                return true;
            }
        }

        return false;
    }

    private void AddAllTargets(XRpcRouteSnapshot route, bool home)
    {
        if (route.RejectMessage is null)
        {
            _session.AddAllTargets(route, _copyTo ?? (home ? XRpcSession<TCodec>.HomeClusterOf(route) : _session.ClusterOf(route, readOnly: false)), home, this);
        }
    }

    private XRpcRouteSnapshot? RouteOf(ReadOnlySpan<byte> key)
    {
        XRpcRouteTable table = _session.Proxy.Routes.Current;
        foreach (XRpcRouteSnapshot route in _conditional)
        {
            if (RouteFinder.TakesKey(route.Match, key, table.IgnoreCase))
            {
                return route;
            }
        }

        return key.IsEmpty || !table.HasPrefixes ? table.CatchAll : table.ByKey(key);
    }

    /// <summary>Adds a server, or the lack of one, once.</summary>
    public int NumberOf(in Target target)
    {
        _used = true;
        for (int i = 0; i < _targets.Count; i++)
        {
            if (_targets[i].IsSame(target))
            {
                return i;
            }
        }

        _targets.Add(target);
        return _targets.Count - 1;
    }

    public IBufferWriter<byte> Fragment(int target)
    {
        _used = true;
        _fragments.Add((target, _fragmentBytes.Count));
        return _fragmentBytes;
    }

    public Target TargetAt(int number) => _targets[number];

    /// <summary>Whether a fragment has the keys that are not copied.</summary>
    public bool IsLeftOut(int index) => ReferenceEquals(_targets[_fragments[index].Target].Absent, LeftOut);

    /// <summary>The cluster that all fragments go to; null where there are several.</summary>
    public string? FragmentCluster
    {
        get
        {
            string? first = _targets[_fragments[0].Target].ClusterName;
            foreach ((int target, _) in _fragments)
            {
                if (_targets[target].ClusterName != first)
                {
                    return null;
                }
            }

            return first;
        }
    }

    /// <summary>A fragment that was written.</summary>
    public Target FragmentAt(int index, out ReadOnlySpan<byte> bytes)
    {
        (int target, int start) = _fragments[index];
        int end = index + 1 < _fragments.Count ? _fragments[index + 1].Start : _fragmentBytes.Count;
        bytes = _fragmentBytes.Written[start..end];
        return _targets[target];
    }

    /// <summary>The loop, for what is made here.</summary>
    public XRpcLoop<TCodec> Owner => owner;

    private ScratchWriter Use(ScratchWriter writer)
    {
        _used = true;
        return writer;
    }

    private void Clear()
    {
        _used = false;
        _answer.Clear();
        _before.Clear();
        _replacement.Clear();
        _notes.Clear();
        _fragmentBytes.Clear();
        _targets.Clear();
        _fragments.Clear();
        _keyBytes.Clear();
        _keys.Clear();
        _conditional.Clear();
        Policies.Clear();
        (Rejecting, Lacking, _lacksSome) = (null, null, false);
    }
}

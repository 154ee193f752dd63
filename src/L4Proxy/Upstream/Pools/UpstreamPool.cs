using System.Net;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <summary>
/// The connections of one loop to one cluster: shared ones, a few for each server address and profile, and private ones that clients
/// have for a while and give back. Connections are found by a walk: there are few, and sessions remember theirs.
/// </summary>
internal sealed partial class UpstreamPool<TCodec>(XRpcLoop<TCodec> owner, string cluster)
    where TCodec : struct, IXRpcCodec<TCodec>
{
    /// <summary>Shared connections beyond the configured number while those are stalled or stuck; besides those whose servers take no more requests.</summary>
    private const int MostExtra = 4;

    /// <summary>
    /// States that shared connections to one address are in at most: clients make identities up. Each has as many connections as configured; at the
    /// bound the one that was idle for longest is closed for the next.
    /// </summary>
    private const long MostProfilesAtAddress = 64;

    /// <summary>Shared connections to one address and in one state whose server takes no more requests, and owes answers: a server that says so on each would have one for every request.</summary>
    private const int MostEnding = 16;

    /// <summary>Private connections that nobody has and that stay as long as shared ones do: for who comes next.</summary>
    private const int SparesKept = 4;

    /// <summary>After so long others that nobody has are closed: a crowd that blocked at once leaves one each, and they have places at the server that others may need.</summary>
    private const long SpareMs = 10_000;

    private const long LoginWarningsMs = 60_000;

    private readonly List<UpstreamLink<TCodec>> _shared = [];
    private readonly List<UpstreamLink<TCodec>> _private = [];

    private long _nextLoginWarningMs;
    private long _configVersion;
    private long _connectsIn;
    private int _connects;

    public string Cluster { get; } = cluster;

    /// <summary>How connections are kept: as the proxy that used the pool last says.</summary>
    public XRpcUpstreamSnapshot Settings { get; set; } = new();

    /// <summary>Whether there is no connection at all.</summary>
    public bool IsEmpty => _shared.Count + _private.Count == 0;

    public IReadOnlyList<UpstreamLink<TCodec>> SharedLinks => _shared;

    public IReadOnlyList<UpstreamLink<TCodec>> PrivateLinks => _private;

    /// <summary>A connection for requests of many; opened when there is none that can take any.</summary>
    /// <param name="snapshot">The cluster now.</param>
    /// <param name="endpoint">Where to.</param>
    /// <param name="profile">In which state.</param>
    /// <param name="count">Connections per address that are wanted.</param>
    /// <param name="spread">Distributes clients over them.</param>
    public UpstreamLink<TCodec> Shared(ClusterSnapshot snapshot, EndpointSnapshot endpoint, ConnectionProfile profile, int count, uint spread)
    {
        int living = 0;
        int usable = 0;
        int ending = 0;
        UpstreamLink<TCodec>? wanted = null;
        UpstreamLink<TCodec>? any = null;
        foreach (UpstreamLink<TCodec> link in _shared)
        {
            if (!link.IsTo(endpoint.Address, profile) || link.State == LinkState.Closed)
            {
                continue;
            }

            if (link.IsEnding)
            {
                // What the server said GoAway on has no place among them: nothing may be sent there, however long its last answers take.
                ending++;
                continue;
            }

            living++;
            any = link;
            if (link.CanTake)
            {
                wanted = (usable++ == spread % (uint)count) || wanted is null ? link : wanted;
            }
        }

        bool full = living >= count + MostExtra || ending >= MostEnding;
        if (usable >= count || (wanted is not null && full))
        {
            return wanted!;
        }

        if (any is not null && full)
        {
            any.IsLastResort = true;
            return any;
        }

        if (ending < MostEnding && CountAt(endpoint.Address) >= MostProfilesAtAddress * count)
        {
            LongestIdle(_shared, endpoint.Address)?.Close(LocalReplyReason.Overflow, reset: false);
        }

        return Add(_shared, snapshot, endpoint, profile, isPrivate: false, ending >= MostEnding ? UpstreamLimit.Ending : null);
    }

    /// <summary>
    /// Makes room for another connection of the cluster; false when none is idle. Those of single clients take the place of
    /// shared ones for half of the connections at most: the others' requests need some.
    /// </summary>
    /// <param name="isPrivate">Whether the other is for one client alone.</param>
    /// <param name="most">Connections of the cluster at most.</param>
    public bool TryMakeRoom(bool isPrivate, uint most)
    {
        if (CloseIdle())
        {
            return true;
        }

        UpstreamLink<TCodec>? link = isPrivate && _private.Count > most / 2 ? null : LongestIdle(_shared);
        link?.Close(LocalReplyReason.Overflow, reset: false);
        return link is not null;
    }

    /// <summary>A connection for one client alone: an idle one, or a new one; null at the bound.</summary>
    /// <param name="snapshot">The cluster now.</param>
    /// <param name="endpoint">Where to.</param>
    /// <param name="profile">In which state.</param>
    /// <param name="most">In use at most, of all loops; and idle ones of this pool.</param>
    public UpstreamLink<TCodec>? Borrow(ClusterSnapshot snapshot, EndpointSnapshot endpoint, ConnectionProfile profile, int most)
    {
        if (snapshot.State.PinnedConnections >= most)
        {
            return null;
        }

        foreach (UpstreamLink<TCodec> link in _private)
        {
            if (link.PinnedTo is null && link.CanTake && link.InFlight == 0 && link.IsTo(endpoint.Address, profile))
            {
                return link;
            }
        }

        return _private.Count >= most && !CloseIdle() ? null : Add(_private, snapshot, endpoint, profile, isPrivate: true);
    }

    /// <summary>Forgets a closed connection.</summary>
    public void Remove(UpstreamLink<TCodec> link) => (link.IsPrivate ? _private : _shared).Remove(link);

    /// <summary>Clients have gone without their answers.</summary>
    public void ForgetGone()
    {
        // Backwards: whoever is told may close one.
        for (int i = _shared.Count - 1; i >= 0; i--)
        {
            _shared[i].ForgetGone();
        }

        for (int i = _private.Count - 1; i >= 0; i--)
        {
            _private[i].ForgetGone();
        }
    }

    /// <summary>Time-outs and idle connections. Called by the loop's clock.</summary>
    /// <param name="now">Stopwatch ticks.</param>
    public void Tick(long now)
    {
        ProxySnapshot config = owner.Snapshot;
        if (_configVersion != config.Version)
        {
            _configVersion = config.Version;
            HealthCheckInterval = IntervalOf(config, Cluster);
            DrainStrangers(config);
        }

        TickAll(_shared, now);
        TickAll(_private, now);
        JudgeTheDoubted();
        AskTheFailing(config);
    }

    private int CountAt(EndPoint address)
    {
        int count = 0;
        foreach (UpstreamLink<TCodec> link in _shared)
        {
            count += link.Endpoint.Address.Equals(address) ? 1 : 0;
        }

        return count;
    }

    private static UpstreamLink<TCodec>? LongestIdle(List<UpstreamLink<TCodec>> links, EndPoint? address = null)
    {
        UpstreamLink<TCodec>? longest = null;
        foreach (UpstreamLink<TCodec> link in links)
        {
            bool idle = link is { InFlight: 0, PinnedTo: null, State: LinkState.Open, IsChosen: false } && link.Output.IsEmpty
                && (address is null || link.Endpoint.Address.Equals(address));
            longest = idle && (longest is null || link.LastUsedMs < longest.LastUsedMs) ? link : longest;
        }

        return longest;
    }

    /// <summary>Connections to addresses that the configuration has no more take nothing new, and close when nobody waits there.</summary>
    private void DrainStrangers(ProxySnapshot config)
    {
        if ((IsEmpty && _doubted.Count == 0)
            || (config.Clusters.TryGetValue(Cluster, out ClusterSnapshot? now) && now.Discovery == ClusterDiscovery.OriginalDestination))
        {
            return;
        }

        HashSet<EndPoint> known = now is null ? [] : [.. now.Endpoints.Select(static endpoint => endpoint.Address)];
        _doubted.RemoveAll(one => !known.Contains(one.State.Address));
        foreach (UpstreamLink<TCodec> link in _shared.Concat(_private))
        {
            link.IsDraining |= !known.Contains(link.Endpoint.Address);
        }
    }

    private bool CloseIdle()
    {
        foreach (UpstreamLink<TCodec> link in _private)
        {
            // Not the one that asks for room: it is here already, and connects.
            if (link is not { PinnedTo: null, InFlight: 0, State: LinkState.Open, IsChosen: false })
            {
                continue;
            }

            // Nobody waits for the answer to a one-way request, which may wait itself for the end of the turn.
            link.Flush();
            if (link.Output.IsEmpty)
            {
                link.Close(LocalReplyReason.Overflow, reset: false);
                return true;
            }
        }

        return false;
    }

    private void TickAll(List<UpstreamLink<TCodec>> links, long now)
    {
        int spares = 0;

        // Backwards: a connection that is closed leaves the list.
        for (int i = links.Count - 1; i >= 0; i--)
        {
            if (i >= links.Count)
            {
                // What failed was tried again elsewhere, which closed another for its place.
                continue;
            }

            UpstreamLink<TCodec> link = links[i];
            if (!link.AwaitsRest)
            {
                link.ExpireRequests(now);
            }

            link.ExpirePreamble(now);
            link.Recount();
            link.CheckHealth();
            if (link.IsEnding)
            {
                link.CloseWhenDone();
            }

            if (link is { InFlight: 0, PinnedTo: null, State: LinkState.Open })
            {
                // One that still sends is none: nobody waits for an answer to a one-way request, whose rest its server may take late.
                CloseUnused(link, isSpare: link.IsPrivate && link.Output.IsEmpty && ++spares > SparesKept);
            }
        }
    }

    private void CloseUnused(UpstreamLink<TCodec> link, bool isSpare)
    {
        double most = Settings.IdleTimeout > TimeSpan.Zero ? Settings.IdleTimeout.TotalMilliseconds : double.PositiveInfinity;
        most = isSpare ? Math.Min(most, SpareMs) : most;
        if ((link.IsDraining && link.Output.IsEmpty) || owner.Loop.NowMilliseconds - link.LastUsedMs > most)
        {
            link.Close(LocalReplyReason.UpstreamClosed, reset: false);
        }
    }

    private UpstreamLink<TCodec> Add(
        List<UpstreamLink<TCodec>> list, ClusterSnapshot snapshot, EndpointSnapshot endpoint, ConnectionProfile profile, bool isPrivate,
        string? limit = null)
    {
        UpstreamLink<TCodec> link = TCodec.Traits.Order == FrameOrder.Multiplexed
            ? new MuxLink<TCodec>(owner, this, snapshot, endpoint, profile) { IsPrivate = isPrivate }
            : new FifoLink<TCodec>(owner, this, snapshot, endpoint, profile) { IsPrivate = isPrivate };
        list.Add(link);
        if ((limit ?? (MayConnect() ? null : UpstreamLimit.ConnectionRate)) is { } reached)
        {
            link.RefuseFor(reached);
        }
        else
        {
            link.Open();
        }

        return link;
    }

    /// <summary>Logs that the proxy's own credentials are no good, once a minute: every request may try a connection.</summary>
    public void TellLoginFailed(EndPoint address, string said)
    {
        long now = owner.Loop.NowMilliseconds;
        if (now >= _nextLoginWarningMs)
        {
            _nextLoginWarningMs = now + LoginWarningsMs;
            owner.Loop.Warn($"cluster {Cluster}: the proxy's own login at {address} failed: {said}");
        }
    }

    /// <summary>Counts new connections by the second.</summary>
    private bool MayConnect()
    {
        long second = owner.Loop.NowMilliseconds / 1000;
        (_connectsIn, _connects) = second == _connectsIn ? (second, _connects + 1) : (second, 1);
        return Settings.MaxConnectsPerSecond == 0 || _connects <= Settings.MaxConnectsPerSecond;
    }

    /// <summary>Whether a cluster still offers an address, be it one that fails its checks.</summary>
    public static bool Has(ClusterSnapshot snapshot, EndPoint address)
    {
        foreach (EndpointSnapshot endpoint in snapshot.Endpoints)
        {
            if (endpoint.Offered && endpoint.Address.Equals(address))
            {
                return true;
            }
        }

        return false;
    }
}

using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <content>Servers that give no sign of life.</content>
internal sealed partial class UpstreamPool<TCodec>
{
    private readonly List<Doubted> _doubted = [];

    /// <summary>After how long a silent server is asked for a sign of life, and how long it has to give one: as the running configuration says. Zero never.</summary>
    public TimeSpan HealthCheckInterval { get; private set; } = IntervalOf(owner.Snapshot, cluster);

    /// <summary>Whether servers are asked for signs of life.</summary>
    public bool ChecksHealth => HealthCheckInterval > TimeSpan.Zero && (TCodec.Traits.Heartbeats & Heartbeats.FromClient) != 0;

    /// <summary>Whether the cluster has servers that fail their checks, or may: somebody has to ask on, also when no client is there.</summary>
    public bool HasFailing { get; private set; }

    /// <summary>
    /// A connection's question was not answered. That may be the connection's fault alone, dropped by something on the way: where nobody else
    /// heard of the server either, it is asked again over a new one. It fails when it gives no sign of life in the same time again, on whichever.
    /// </summary>
    public void Doubt(UpstreamLink<TCodec> link)
    {
        EndpointState state = link.Endpoint.State;
        long now = owner.Loop.NowMilliseconds;
        if (state.FailsChecks || state.WasHeard(now, HealthCheckInterval) || _doubted.Exists(one => one.State == state)
            || !owner.Snapshot.Clusters.TryGetValue(Cluster, out ClusterSnapshot? known) || known.Endpoints.FirstOrDefault(one => one.State == state && one.Offered) is not { } endpoint)
        {
            return;
        }

        _doubted.Add(new Doubted(state, known.State, now, IsDue: false));
        Add(_shared, known, endpoint, link.Profile, isPrivate: false).AskAtOnce();
    }

    /// <summary>A connection of this pool had a sign of life.</summary>
    public void Trust(EndpointState state)
    {
        // No lambda: what it captures would be allocated for every read.
        for (int i = _doubted.Count - 1; i >= 0; i--)
        {
            if (_doubted[i].State == state)
            {
                _doubted.RemoveAt(i);
            }
        }
    }

    private static TimeSpan IntervalOf(ProxySnapshot config, string cluster) => config.HealthCheckIntervals.GetValueOrDefault(cluster);

    /// <summary>Those whose time is over fail, at the tick after: what had come by then has been read, however late this one is.</summary>
    private void JudgeTheDoubted()
    {
        long now = owner.Loop.NowMilliseconds;
        for (int i = _doubted.Count - 1; i >= 0; i--)
        {
            Doubted one = _doubted[i];
            var waited = TimeSpan.FromMilliseconds(now - one.SinceMs);
            if (!one.IsDue && waited <= HealthCheckInterval)
            {
                continue;
            }

            _doubted[i] = one with { IsDue = true };
            bool heard = one.State.WasHeard(now, waited);
            if (one.IsDue && ChecksHealth && !heard)
            {
                one.Cluster.TellHealth(one.State, alive: false);
            }

            if (one.IsDue || heard)
            {
                _doubted.RemoveAt(i);
            }
        }
    }

    /// <summary>Servers that gave no sign of life are asked again, on a new connection where none is left that could be used.</summary>
    private void AskTheFailing(ProxySnapshot config)
    {
        HasFailing = _doubted.Count > 0;
        if (!config.Clusters.TryGetValue(Cluster, out ClusterSnapshot? cluster) || cluster.State.HealthVersion == 0)
        {
            return;
        }

        foreach (EndpointSnapshot endpoint in cluster.Endpoints)
        {
            if (!endpoint.State.FailsChecks)
            {
                continue;
            }

            HasFailing = true;
            if (HealthCheckInterval == TimeSpan.Zero)
            {
                // No proxy that runs has it checked.
                cluster.State.TellHealth(endpoint.State, alive: true);
            }
            else if (ChecksHealth && endpoint.Offered && !CanTakeAt(endpoint.Address) && endpoint.State.TryProbe(owner.Loop.NowMilliseconds, HealthCheckInterval))
            {
                Add(_shared, cluster, endpoint, ConnectionProfile.None, isPrivate: false);
            }
        }
    }

    private bool CanTakeAt(EndPoint address)
    {
        foreach (UpstreamLink<TCodec> link in _shared)
        {
            if (link.CanTake && link.Endpoint.Address.Equals(address))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A server that is asked again.</summary>
    /// <param name="State">Of the server.</param>
    /// <param name="Cluster">Whose balancing is told.</param>
    /// <param name="SinceMs">When a question was first found unanswered.</param>
    /// <param name="IsDue">Its time is over.</param>
    private readonly record struct Doubted(EndpointState State, ClusterState Cluster, long SinceMs, bool IsDue);
}

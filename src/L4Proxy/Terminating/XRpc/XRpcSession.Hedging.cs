using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Idempotent requests that go to a second server when the first is slow. Routes without hedging never come here.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>Sends a copy to a server that does not have the request yet; without one, or without budget or room, the tries so far have to do.</summary>
    public void Hedge(HedgeRace<TCodec> race)
    {
        XRpcHedgeSnapshot hedge = race.Any.Route!.Policies.Hedge!;
        if (_stats.HedgeCredit < Share.All)
        {
            _stats.HedgesOverBudget++;
            return;
        }

        if (!HasRoomForCopy(race.Any.RequestLength) || Elsewhere(race) is not { } link || !link.TryReserve(out ulong id))
        {
            return;
        }

        _stats.HedgeCredit -= Share.All;
        _stats.Hedged++;
        race.CopiesLeft--;
        RequestState<TCodec> state = _owner.States.RentCopy(race.Any, this);
        WriteCopy(link, state.Request, id);
        ref Pending<TCodec> pending = ref link.Add();
        pending = race.Request;
        pending.State = state;
        link.LastUsedMs = _owner.Loop.NowMilliseconds;
        race.Enter(state, link, id);
        if (race.CopiesLeft > 0)
        {
            race.Again(hedge.Delay);
        }
    }

    /// <summary>A try of a hedged request begins to be answered: whether the client is to get this answer. The others are dropped.</summary>
    public bool WinsRace(ref Pending<TCodec> pending)
    {
        RequestState<TCodec> state = pending.State!;
        pending.Flags &= ~PendingFlags.Hedged;
        if (state.Race!.TryWin(state))
        {
            _stats.HedgesWon += state.IsCopy ? 1 : 0;
            return true;
        }

        pending.State = null;
        pending.Flags |= PendingFlags.Hidden | PendingFlags.Abandoned;
        GiveBack(state);
        return false;
    }

    /// <summary>A clock for a request that may be hedged. It has the whole time-out, whatever the time of a try is.</summary>
    private void BeginRace(ref Pending<TCodec> pending, UpstreamLink<TCodec> link, ulong id, XRpcHedgeSnapshot hedge)
    {
        _stats.HedgeCredit = Math.Min(_stats.HedgeCredit + hedge.Budget.Millionths, XRpcStatShard.MostHedgeCredit);
        pending.Flags |= PendingFlags.Hedged;
        _owner.States.RentRace().Begin(_owner.States, pending, link, id, hedge.Copies, hedge.Delay);
    }

    private static bool MayHedge(in FrameHead head, XRpcRouteSnapshot route, UpstreamLink<TCodec> link) =>
        route.Policies.Hedge is not null && head.Replies == 1 && !link.IsPrivate && !link.Cluster.HashesKeys;

    /// <summary>A try failed. True when others go on, or went on: then nobody is told.</summary>
    private bool IsOutrun(in Pending<TCodec> pending)
    {
        if (pending.State is not { Race: { } race } state)
        {
            return false;
        }

        bool outrun = race.Winner is null ? race.Count > 1 : race.Winner != state;
        if (outrun)
        {
            GiveBack(state);
        }
        else
        {
            race.Leave(state);
        }

        return outrun;
    }

    private UpstreamLink<TCodec>? Elsewhere(HedgeRace<TCodec> race)
    {
        if (!_owner.Snapshot.Clusters.TryGetValue(race.Cluster, out ClusterSnapshot? cluster) || cluster.RequiresTls || cluster.HashesKeys)
        {
            return null;
        }

        PickContext context = new() { OriginalDestination = _downstream.OriginalDestination, Random = _owner.Worker.Random, Tried = race.Tried };
        if (LoadBalancer.Pick(cluster, context) is not { } endpoint || context.WasTried(endpoint))
        {
            return null;
        }

        UpstreamLink<TCodec> link = _owner.Pool(race.Cluster).Shared(cluster, endpoint, ProfileAt(cluster), Math.Max(Proxy.Upstream.ConnectionsPerEndpoint, 1), Spread);
        return link.CanTake && link.Output.Length < UpstreamLink<TCodec>.HighWatermark && HasPlace(link, cluster) ? link : null;
    }

    /// <summary>Asks the circuit breaker for one request more that is not the client's own.</summary>
    private static bool HasPlace(UpstreamLink<TCodec> link, ClusterSnapshot cluster) => !cluster.Limits.LimitsRequests || link.TryCount(cluster.Limits);
}

using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Terminating.Policies;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>What a route wants done besides forwarding. Plain routes never come here.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>Whether a copy of a request can have another id than the first: ids are nowhere, or at a fixed place.</summary>
    private static readonly bool MayCopy = TCodec.Traits.Order != FrameOrder.Multiplexed || TCodec.Traits.Id is not null;

    /// <summary>A request was tried again over another connection while others were due on the first, which that one's next could overtake.</summary>
    private bool _leftSome;

    /// <summary>
    /// Asks the route's policies, or those of all routes that its keys belong to. False: the request was answered, or waits (<paramref name="wait"/>). What authorization says is told
    /// (<paramref name="allowed"/>), for a request may belong to several routes.
    /// </summary>
    private bool Admit(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, ReadOnlySpan<byte> key, bool allowed, out bool wait)
    {
        wait = false;
        _faultMessage = null;
        KeyPolicies several = _owner.Exchange.Policies;
        if (!allowed)
        {
            _stats.Denied++;
            return !AnswerLocally(frame, LocalReplyReason.Denied, decision.ReadsUnnamedKeys ? "not all keys that this command may read are allowed" : null);
        }

        if (several.AreOfSeveralRoutes ? !several.TryTakeAll() : route.Policies.RateLimit is { } bucket && !bucket.TryTake())
        {
            _stats.RateLimited++;
            return !AnswerLocally(frame, LocalReplyReason.RateLimited);
        }

        if ((several.AreOfSeveralRoutes ? FaultOf(frame, several) : FaultOf(frame, route.Policies)) is { } fault)
        {
            return ApplyFault(frame, fault, out wait);
        }

        Mirror(frame, decision, route, key);
        _admitted = true;
        return true;
    }

    /// <summary>
    /// Every key of the request has to be allowed by the rules of its own route. A request without keys has what its server has: those of its route have to
    /// allow it, of the route that the client's own connection is for, and where it is about all keys of each that leads there, as where it may read keys unnamed.
    /// </summary>
    private bool IsAllowed(XRpcRouteSnapshot route, in FrameView frame, ReadOnlySpan<byte> key, in Decision decision, in Target target)
    {
        bool allowed = _owner.Exchange.KeyCount > 0 ? AreKeysAllowed(frame)
            : Allows(route, frame, key) && (!IsPinned || !key.IsEmpty || Allows(PinnedRoute(), frame, default));
        bool allKeys = decision.ReadsUnnamedKeys || ((decision.Flags & ForwardFlags.AllKeys) != 0 && _owner.Exchange.KeyCount == 0);
        return allowed && (!allKeys
            || AreAllKeysAllowed(IsPinned ? _pinned!.Cluster.Name : target.ClusterName ?? ClusterOf(route, readOnly: false), frame, decision.ReadsUnnamedKeys));
    }

    private bool AreKeysAllowed(in FrameView frame)
    {
        SessionExchange<TCodec> exchange = _owner.Exchange;
        for (int i = 0; i < exchange.KeyCount; i++)
        {
            ReadOnlySpan<byte> key = exchange.KeyAt(i, out XRpcRouteSnapshot owner);
            if (!Allows(owner, frame, key))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether every route that leads to a cluster allows what is about all keys there.</summary>
    /// <param name="cluster">Its name.</param>
    /// <param name="frame">The request.</param>
    /// <param name="unnamed">Whether some of them alone may be meant, nobody knows which.</param>
    private bool AreAllKeysAllowed(string cluster, in FrameView frame, bool unnamed = false)
    {
        XRpcRouteTable table = Proxy.Routes.Current;
        if (!table.HasAuthorization)
        {
            return true;
        }

        foreach (XRpcRouteSnapshot route in table.Routes)
        {
            if ((SendsTo(route, cluster) || route.ReadCluster == cluster) && _owner.Exchange.MayTake(route)
                && !(unnamed ? AllowsAnyKey(route, frame) : Allows(route, frame, default)))
            {
                return false;
            }
        }

        return true;
    }

    private bool Allows(XRpcRouteSnapshot route, in FrameView frame, ReadOnlySpan<byte> key) =>
        route.Policies.Authorization is not { } rules || RequestAuthorization.Allows(rules, _codec, frame, key, _downstream);

    private bool AllowsAnyKey(XRpcRouteSnapshot route, in FrameView frame) =>
        route.Policies.Authorization is not { } rules || RequestAuthorization.AllowsAnyKey(rules, _codec, frame, _downstream);

    /// <summary>Whether a request may go on: its policies say so now, or said so before it had to wait.</summary>
    private bool MayPass(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, ReadOnlySpan<byte> key, bool allowed, out bool wait)
    {
        wait = false;
        if (!_admitted)
        {
            return Admit(frame, decision, route, key, allowed, out wait);
        }

        bool owesCopies = _owesCopies;
        _owesCopies = false;
        if (_faultMessage is not null)
        {
            return !AbortByFault(frame, _faultMessage);
        }

        if (owesCopies)
        {
            Mirror(frame, decision, route, key);
        }

        return true;
    }

    /// <summary>The fault that takes a request; the first of those that chance lets happen, in the order of the configuration.</summary>
    private XRpcFaultSnapshot? FaultOf(in FrameView frame, XRpcPoliciesSnapshot policies)
    {
        Random random = _owner.Worker.Random;
        int draw = policies.Faults.IsEmpty ? 0 : random.Next((int)Share.All);
        foreach (XRpcFaultSnapshot fault in policies.Faults)
        {
            if (RouteFinder.HasMethod(fault.Methods, frame.Head.Method, _codec, frame))
            {
                if (draw < fault.Fraction.Millionths)
                {
                    return fault.Delay > TimeSpan.Zero || fault.AbortMessage is not null ? fault : null;
                }

                draw = policies.FaultsAddUp ? draw - (int)fault.Fraction.Millionths : random.Next((int)Share.All);
            }
        }

        return null;
    }

    /// <summary>The first in the order of the keys.</summary>
    private XRpcFaultSnapshot? FaultOf(in FrameView frame, KeyPolicies policies)
    {
        for (int i = 0; i < policies.Faults.Count; i++)
        {
            if (FaultOf(frame, policies.Faults[i]) is { } fault)
            {
                return fault;
            }
        }

        return null;
    }

    /// <summary>False: the request was answered, or waits.</summary>
    private bool ApplyFault(in FrameView frame, XRpcFaultSnapshot fault, out bool wait)
    {
        wait = fault.Delay > TimeSpan.Zero && Delay(frame, fault);
        return fault.Delay <= TimeSpan.Zero && !AbortByFault(frame, fault.AbortMessage!);
    }

    /// <summary>Always true: the request is answered.</summary>
    private bool AbortByFault(in FrameView frame, string message)
    {
        _stats.AbortFaults++;
        _faultMessage = null;
        return AnswerLocally(frame, LocalReplyReason.Configured, message);
    }

    /// <summary>What must be remembered of a request beyond the plain; null for most.</summary>
    private RequestState<TCodec>? StateFor(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> link)
    {
        bool observes = (decision.Flags & ForwardFlags.Observe) != 0;
        XRpcPoliciesSnapshot policies = route.Policies;
        bool mayRepeat = (decision.Flags & (ForwardFlags.Idempotent | ForwardFlags.Last)) == ForwardFlags.Idempotent && frame.IsWhole && !IsPinned && decision.HiddenReplies == 0 && MayCopy;
        bool retries = mayRepeat && policies.Retry is { Retries: > 0 };
        bool hedges = mayRepeat && MayHedge(frame.Head, route, link);
        bool logs = policies.RequestLog is not null;
        if ((!observes && !retries && !hedges && !logs && SeedBytes == 0) || frame.Head.Replies == 0 || (decision.Flags & ForwardFlags.Relay) != 0)
        {
            return null;
        }

        RequestState<TCodec> state = RentState(frame, decision, route, link, observes);
        state.Retries = retries ? policies.Retry!.Retries : 0;
        state.KeepsRequest = retries || hedges;
        state.IsHedged = hedges;
        state.IsLogged = logs;
        return state;
    }

    /// <summary>What is remembered of any request that is sent now.</summary>
    private RequestState<TCodec> RentState(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, UpstreamLink<TCodec> link, bool observes)
    {
        RequestState<TCodec> state = _owner.States.Rent();
        state.Captures = state.Observes = observes;
        (state.Tag, state.Route, state.SentOn) = (decision.Tag, route, link);
        (state.StartedAt, state.Flags) = (_cameAt == 0 ? _now : _cameAt, _requestFlags);
        state.ForwardedAt = _now;
        state.KeepSeed(SeedOf(frame));
        return state;
    }

    /// <summary>Sends an idempotent request again; false when it may not be, or cannot.</summary>
    private bool TryAgain(in Pending<TCodec> pending, LocalReplyReason reason)
    {
        if (pending.State is not { Retries: > 0, Route: { } route } state || !pending.Has(PendingFlags.Idempotent)
            || reason is not (LocalReplyReason.ConnectFailed or LocalReplyReason.UpstreamClosed or LocalReplyReason.Timeout))
        {
            return false;
        }

        long now = _owner.Now();
        if (!HasTimeLeft(pending, state, now, out int timeout))
        {
            return false;
        }

        XRpcRetrySnapshot retry = route.Policies.Retry!;
        if (!retry.Allows(_stats.RetriesActive, _stats.RequestsTotal - _stats.RequestsEnded))
        {
            _stats.RetriesOverBudget++;
            return false;
        }

        UpstreamLink<TCodec> failed = state.SentOn!;
        if (LinkForRetry(failed) is not { } link || !link.TryReserve(out ulong id))
        {
            return false;
        }

        _leftSome |= InFlight > 1 && failed.State != LinkState.Closed;
        state.BeginRetry(_stats);
        state.Retries--;
        state.SentOn = link;
        WriteCopy(link, state.Request, id);
        ref Pending<TCodec> again = ref link.Add();
        again = pending;
        again.Flags &= ~(PendingFlags.Begun | PendingFlags.Abandoned | PendingFlags.Hedged);
        again.SentAt = now;
        again.TimeoutMs = TryTimeoutOf(retry, timeout);
        _stats.Retried++;
        return true;
    }

    /// <summary>Whether the time-out, which all tries of a request share, leaves time for another.</summary>
    /// <param name="pending">The try that failed.</param>
    /// <param name="state">Knows when the request was sent first.</param>
    /// <param name="now">Stopwatch ticks.</param>
    /// <param name="timeout">Milliseconds that are left; 0 without a time-out.</param>
    private static bool HasTimeLeft(in Pending<TCodec> pending, RequestState<TCodec> state, long now, out int timeout)
    {
        double whole = pending.Has(PendingFlags.Blocking) ? 0 : state.Route!.Policies.Timeout.TotalMilliseconds;
        double left = whole - System.Diagnostics.Stopwatch.GetElapsedTime(state.ForwardedAt, now).TotalMilliseconds;
        timeout = whole > 0 ? (int)Math.Clamp(Math.Ceiling(left), 0, int.MaxValue) : 0;
        return whole <= 0 || timeout > 0;
    }

    /// <summary>Where a request can be tried again: elsewhere, or at the same server where keys choose it. What follows it goes there too.</summary>
    private UpstreamLink<TCodec>? LinkForRetry(UpstreamLink<TCodec> failed)
    {
        // The place of the try that failed is free for the next.
        failed.Recount();
        ProxySnapshot config = _owner.Snapshot;
        if (!config.Clusters.TryGetValue(failed.Cluster.Name, out ClusterSnapshot? cluster) || cluster.RequiresTls)
        {
            return null;
        }

        PickContext context = new() { OriginalDestination = _downstream.OriginalDestination, Random = _owner.Worker.Random, Tried = [failed.Endpoint] };
        EndpointSnapshot? endpoint = !cluster.HashesKeys ? LoadBalancer.Pick(cluster, context)
            : UpstreamPool<TCodec>.Has(cluster, failed.Endpoint.Address) ? failed.Endpoint : null;
        if (endpoint is null)
        {
            return null;
        }

        // Between requests no configuration is at hand, and none is kept.
        (ProxySnapshot? batch, _config) = (_config, config);
        int at = BindTo(cluster.Name, cluster, endpoint);
        _config = batch;
        ref Binding binding = ref _bindings[at];
        if (IsOneByOne)
        {
            return OwnLinkForRetry(failed, binding);
        }

        binding.Link = _owner.Pool(binding.Name).Shared(cluster, endpoint, binding.Profile, Math.Max(Proxy.Upstream.ConnectionsPerEndpoint, 1), Spread);
        return binding.Link.State != LinkState.Closed && HasPlace(binding.Link, cluster) ? binding.Link : null;
    }

    /// <summary>Another connection for one request alone, in the place of the one that it failed on.</summary>
    private UpstreamLink<TCodec>? OwnLinkForRetry(UpstreamLink<TCodec> failed, in Binding binding)
    {
        if (_pinned == failed)
        {
            (_pinned, failed.PinnedTo) = (null, null);
        }

        if (PrivateLink(binding, forOne: true) is not { State: not LinkState.Closed } link)
        {
            return null;
        }

        if (!HasPlace(link, binding.Cluster))
        {
            Unpin(link, reusable: true);
            return null;
        }

        return link;
    }

    private static IReadOnlyList<MetaEdit>? MetadataOf(XRpcRouteSnapshot route) =>
        route.Policies.RequestMetadata.IsEmpty ? null : MetadataEdits.Of(route.Policies);

    /// <summary>A binding to a server that a conversation chose; -1 where there is none.</summary>
    private int BindTo(in Target target)
    {
        if (target.Absent is not null)
        {
            return -1;
        }

        for (int i = 0; i < _bindingCount; i++)
        {
            if (_bindings[i].Name == target.Cluster.Name && IsSameServer(_bindings[i].Endpoint, target.Endpoint))
            {
                if (!ReferenceEquals(_bindings[i].Cluster, target.Cluster))
                {
                    _bindings[i] = Rebound(_bindings[i], target.Cluster, target.Endpoint, _bindings[i].IsSticky && !target.Cluster.HashesKeys);
                }

                return i;
            }
        }

        return Add(new Binding(target.Cluster.Name, Config.Version, target.Cluster, target.Endpoint, null, false) { Profile = ProfileAt(target.Cluster) });
    }

    /// <summary>A frame of the server passed on a connection that relays.</summary>
    /// <param name="link">The connection.</param>
    /// <param name="head">Head of the frame.</param>
    /// <param name="bytes">The frame, or its end.</param>
    /// <param name="due">What the client has not got yet, to the frame's end.</param>
    /// <returns>Whether it has got that now, since the relaying ended: a connection that closes takes its bytes with it.</returns>
    public bool Relayed(UpstreamLink<TCodec> link, in FrameHead head, ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> due)
    {
        SessionExchange<TCodec> exchange = _owner.Exchange.For(this);
        ReplyAct act = _conversation.OnRelayed(head.Kind, new FrameView(in head, bytes, isWhole: head.Length == bytes.Length), exchange);
        if (_lastWords is { } last && (act is not ReplyAct.Pass || !_conversation.AwaitsRelayed))
        {
            Deliver(due);
            Deliver(last);
            _lastWords = null;
            Unpin(link, reusable: false);
            _owner.Attend(this);
            return true;
        }

        if (act is ReplyAct.Unpin or ReplyAct.UnpinAndClose or ReplyAct.EndRelay)
        {
            Deliver(due);
            link.IsRelaying = false;
            if (act != ReplyAct.EndRelay)
            {
                Unpin(link, reusable: act == ReplyAct.Unpin);
            }

            if (_pause != Pause.None || !_held.IsEmpty || _stopReading)
            {
                _owner.Attend(this);
            }

            return true;
        }

        if (act == ReplyAct.Resume && _pause == Pause.Relay)
        {
            _pause = Pause.None;
            _owner.Attend(this);
        }

        return false;
    }
}

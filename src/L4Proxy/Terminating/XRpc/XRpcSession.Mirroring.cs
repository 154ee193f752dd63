using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Upstream.Pools;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <content>Copies of requests for other clusters. Where keys choose among their servers, a copy goes where its keys are, cut anew if need be.</content>
internal sealed partial class XRpcSession<TCodec>
{
    /// <summary>
    /// A copy's answer is waited for as long as the route's time-out, and for so long at least: a mirror may be slower, and one that never answers keeps
    /// its places for no longer.
    /// </summary>
    private const int LeastCopyTimeoutMs = 5000;

    private static int CopyTimeoutOf(XRpcRouteSnapshot route) =>
        (int)Math.Clamp(route.Policies.Timeout.TotalMilliseconds, LeastCopyTimeoutMs, int.MaxValue);

    /// <summary>Sends copies of what the servers of the route get, without the prefix it takes off; counts those that cannot be.</summary>
    private void Mirror(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, ReadOnlySpan<byte> key)
    {
        if ((decision.Flags & (OwnConnection | ForwardFlags.Quiet)) == ForwardFlags.Quiet)
        {
            // It changes which connections the client has, and copies go with it from then on: nothing is missing there.
            return;
        }

        bool mayCopy = MayCopy && frame.IsWhole && frame.Head.Replies != FrameHead.UntilEnd && !IsPinned
            && (decision.Flags & OwnConnection) == 0;
        KeyPolicies several = _owner.Exchange.Policies;
        if (!several.AreMirroredApart)
        {
            Mirror(frame, decision, route, key, mayCopy, isPart: false);
            return;
        }

        // Each mirror gets the keys of its own routes.
        for (int i = 0; i < several.Mirrored.Count; i++)
        {
            Mirror(frame, decision, several.Mirrored[i], default, mayCopy, isPart: true);
        }
    }

    private void Mirror(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, ReadOnlySpan<byte> key, bool mayCopy, bool isPart)
    {
        foreach (XRpcMirrorSnapshot mirror in route.Policies.Mirrors)
        {
            if ((mirror.ExcludeReads && (decision.Flags & ForwardFlags.ReadOnly) != 0) || !mirror.Fraction.Draw(_owner.Worker.Random))
            {
                continue;
            }

            if (!mayCopy || !(isPart ? TryCopyPart(frame, route, mirror.Cluster) : TryCopy(frame, decision, route, mirror.Cluster, key)))
            {
                _stats.MirrorsSkipped++;
            }
        }
    }

    private bool TryCopy(in FrameView frame, in Decision decision, XRpcRouteSnapshot route, string cluster, ReadOnlySpan<byte> key)
    {
        bool byKeys = Config.Clusters.TryGetValue(cluster, out ClusterSnapshot? found) && found.HashesKeys;
        ReadOnlySpan<byte> chooses = HashKey(frame, route, key);
        if (byKeys && decision is not { Act: Act.Forward, KeyLength: > 0 })
        {
            return TryCopyByKeys(frame, route, cluster, chooses);
        }

        int at = (decision.Flags & ForwardFlags.Home) != 0 ? BindHome(route, cluster, chooses) : Bind(cluster, chooses);
        return at >= 0 && (decision.Act == Act.Split ? SendPieces(at, route)
            : TryEdit(frame, decision, route, 0, out ReadOnlySpan<byte> bytes, out _) && SendCopy(at, route, bytes, frame.Head.Replies != 0));
    }

    /// <summary>The conversation says where the keys are; false where they cannot go to one server each.</summary>
    private bool TryCopyByKeys(in FrameView frame, XRpcRouteSnapshot route, string cluster, ReadOnlySpan<byte> key)
    {
        SessionExchange<TCodec> exchange = _owner.Copying.ForCopy(this, cluster);
        exchange.Consider(_codec, frame);
        Decision decision = _conversation.OnCopy(in _codec, frame, exchange);
        switch (decision.Act)
        {
            case Act.Split:
                bool sent = true;
                for (int i = 0; i < exchange.FragmentCount; i++)
                {
                    sent &= SendCopy(BindTo(exchange.FragmentAt(i, out ReadOnlySpan<byte> piece)), route, piece, expectsReply: true);
                }

                return sent;
            case Act.Forward:
                int at = decision.TargetPlusOne > 0 ? BindTo(exchange.TargetAt(decision.TargetPlusOne - 1)) : Bind(cluster, key);
                bool expectsReply = frame.Head.Replies != 0;
                return at >= 0 && (exchange.ReplacementBytes is { IsEmpty: false } written
                    ? SendCopy(at, route, written, expectsReply)
                    : TryEdit(frame, decision, route, 0, out ReadOnlySpan<byte> bytes, out _) && SendCopy(at, route, bytes, expectsReply));
            default:
                return false;
        }
    }

    /// <summary>
    /// A copy of what a request has for the routes with these mirrors. The conversation cuts it as if the other keys were on a server of their own, which gets
    /// nothing; false where it cannot be cut.
    /// </summary>
    private bool TryCopyPart(in FrameView frame, XRpcRouteSnapshot route, string cluster)
    {
        SessionExchange<TCodec> exchange = _owner.Copying.ForCopy(this, cluster, route.Policies.Mirrors);
        exchange.Consider(_codec, frame);
        bool sent = _conversation.OnCopy(in _codec, frame, exchange).Act == Act.Split;
        for (int i = 0; sent && i < exchange.FragmentCount; i++)
        {
            sent = exchange.IsLeftOut(i) || SendCopy(BindTo(exchange.FragmentAt(i, out ReadOnlySpan<byte> piece)), route, piece, expectsReply: true);
        }

        return sent;
    }

    /// <summary>Copies of the pieces of a split request; of one that is the same for every server, one.</summary>
    private bool SendPieces(int at, XRpcRouteSnapshot route)
    {
        SessionExchange<TCodec> exchange = _owner.Exchange;
        exchange.FragmentAt(0, out ReadOnlySpan<byte> first);
        bool sent = SendCopy(at, route, first, expectsReply: true);
        for (int i = 1; i < exchange.FragmentCount; i++)
        {
            exchange.FragmentAt(i, out ReadOnlySpan<byte> piece);
            if (!piece.SequenceEqual(first))
            {
                sent &= SendCopy(at, route, piece, expectsReply: true);
            }
        }

        return sent;
    }

    /// <summary>False where there is no server, or it takes nothing; a copy beyond the cluster's limits is counted by itself.</summary>
    private bool SendCopy(int at, XRpcRouteSnapshot route, ReadOnlySpan<byte> bytes, bool expectsReply)
    {
        if (at < 0)
        {
            return false;
        }

        ref Binding binding = ref _bindings[at];
        UpstreamPool<TCodec> pool = _owner.Pool(binding.Name);

        // One that has a copy in flight is lent to nobody.
        UpstreamLink<TCodec>? link = IsOneByOne
            ? pool.Borrow(binding.Cluster, binding.Endpoint, binding.Profile, Proxy.Upstream.MaxPinnedConnections)
            : pool.Shared(binding.Cluster, binding.Endpoint, binding.Profile, 1, Spread);
        if (link is null)
        {
            _stats.MirrorsOverflown++;
            return true;
        }

        if (link.State == LinkState.Closed || link.Output.Length > UpstreamLink<TCodec>.HighWatermark)
        {
            return false;
        }

        if (!HasPlace(link, binding.Cluster) || !link.TryReserve(out ulong id))
        {
            _stats.MirrorsOverflown++;
            return true;
        }

        WriteCopy(link, bytes, id);
        link.LastUsedMs = _owner.Loop.NowMilliseconds;
        if (expectsReply)
        {
            link.Add() = new Pending<TCodec> { Flags = PendingFlags.Hidden, SentAt = _now, TimeoutMs = CopyTimeoutOf(route) };
        }

        _stats.Mirrored++;
        return true;
    }
}

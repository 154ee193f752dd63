using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>Commands that need a connection of the client's own, and what their answers change.</content>
public sealed partial class RedisConversation
{
    /// <summary>Whether the connection is the client's for good: its state cannot be taken back.</summary>
    private bool _sticky;

    /// <summary>Whether the connection is not any more what its pool takes it for.</summary>
    private bool _dirty;

    private Decision PinFor(in RedisRequest request, IExchange exchange)
    {
        if (exchange.IsPinned && !exchange.IsQuiet)
        {
            // As in Change: given up behind a request that blocks it would happen all the same, later, and nobody would know.
            return Decision.NeedQuiet;
        }

        if (request.Id == RedisCommandId.Monitor)
        {
            return Keyless(request, exchange, ForwardFlags.Pin | ForwardFlags.Observe | ForwardFlags.Wait) with { Tag = (short)Purpose.Monitor };
        }

        // What was never switched on needs no connection to be switched off.
        return request.Is(1, "TRACKING"u8) && request.Is(2, "OFF"u8) && !exchange.IsPinned
            ? Keyless(request, exchange, ForwardFlags.None)
            : Keyless(request, exchange, ForwardFlags.Pin | ForwardFlags.Observe | ForwardFlags.Wait) with { Tag = (short)Purpose.Pin };
    }

    private Decision Blocking(in RedisRequest request, IExchange exchange)
    {
        if (request.Id is RedisCommandId.Xread or RedisCommandId.Xreadgroup && (RedisKeys.FindStreams(request.Arguments, out bool blocks) == 0 || !blocks))
        {
            return Keyed(request, exchange);
        }

        ForwardFlags flags = ForwardFlags.NoTimeout | (exchange.IsPinned ? ForwardFlags.None : ForwardFlags.PinOnce);
        if (request.Id != RedisCommandId.Wait)
        {
            // What it waits for begins when it is asked: another try would wait from a later moment on.
            Decision decision = Keyed(request, exchange, flags);
            return decision with { Flags = decision.Flags & ~ForwardFlags.Idempotent };
        }

        if (exchange.IsPinned)
        {
            return KeylessAnywhere(request, exchange, flags);
        }

        if (exchange.AllTargets() > 1)
        {
            return Error(exchange, RedisErrors.ManyNodes(request.Command));
        }

        // The server compares with what it had written when this connection's last command was done: a new one has none.
        exchange.Before.Write("*1\r\n$4\r\nPING\r\n"u8);
        return KeylessAnywhere(request, exchange, flags | ForwardFlags.Quiet) with { HiddenReplies = 1 };
    }

    private void Sent(Purpose purpose)
    {
        switch (purpose)
        {
            case Purpose.None when _transaction == Transaction.Open:
                _queued++;
                return;
            case Purpose.SelectInTransaction:
                (_selects ??= []).Add((_queued, _wanted.Database));
                _queued++;
                return;
            case Purpose.PinInTransaction:
                (_queued, _sticky) = (_queued + 1, true);
                return;
            case Purpose.Watch:
                _watching = true;
                return;
            case Purpose.Discard or Purpose.EndTransaction or Purpose.EndSpoiledTransaction:
                _isExecuting = purpose == Purpose.EndTransaction;
                ForgetTransaction();
                return;
            case Purpose.Relay:
                _relaying = true;
                _leavesTraces |= _pendingRelay.LeavesTraces;
                _sticky |= _leavesTraces;
                (_subscriptions ??= new RedisSubscriptions()).Add(_pendingRelay);
                return;
        }
    }

    private ReplyAct Replied(Purpose purpose, bool muted, in FrameView reply, IExchange exchange)
    {
        switch (purpose)
        {
            case Purpose.ChangeProfile or Purpose.ChangePinned:
                Changed(reply, purpose == Purpose.ChangePinned, exchange);
                return ReplyAct.Pass;
            case Purpose.Pin when !IsError(reply):
                _sticky = true;
                return ReplyAct.Pass;
            case Purpose.Monitor when !IsError(reply):
                _relaying = true;
                (_subscriptions ??= new RedisSubscriptions()).Add(RelayedRequest.Endless);
                return ReplyAct.Relay;
            case Purpose.Pin or Purpose.Monitor when !_sticky && !_watching:
                // The server would not: its connection is as it was. Where it said nothing the request is still due there, and the runtime closes it.
                return _dirty ? LetGo() : ReplyAct.Unpin;
            case Purpose.OpenTransaction:
                return Opened(reply);
            case Purpose.BeginTransaction:
                return Begun(reply);
            case Purpose.Discard:
                return Discarded(reply);
            case Purpose.EndTransaction or Purpose.EndSpoiledTransaction:
                return Ended(reply, purpose == Purpose.EndSpoiledTransaction, muted, exchange);
            case Purpose.Unwatch when !IsError(reply):
                _watching = false;
                return _sticky ? ReplyAct.Pass : _dirty ? LetGo() : ReplyAct.Unpin;
            case Purpose.Reset when !IsError(reply):
                ForgetAll(exchange);
                return ReplyAct.UnpinAndClose;
            default:
                return ReplyAct.Pass;
        }
    }
}

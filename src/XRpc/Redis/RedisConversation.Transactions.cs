using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>
/// A transaction belongs to one node: that of the watched keys, or of its first command. MULTI is answered here and sent on, on a
/// connection of the client's own, once that is known. No command goes there before the server has taken MULTI: one that refuses it, by an ACL or
/// because it has no such command, would execute them one by one.
/// </content>
public sealed partial class RedisConversation
{
    private Transaction _transaction;
    private bool _watching;

    /// <summary>Whether a command of the transaction was refused here, so that EXEC must fail.</summary>
    private bool _spoiled;

    /// <summary>Whether the connection that watched was lost, so that EXEC must not execute.</summary>
    private bool _watchLost;

    /// <summary>The server's error to a MULTI that was answered here; who waits for that answer is told.</summary>
    private byte[]? _multiRefused;

    /// <summary>Whether EXEC, and commands of its transaction, may be in flight.</summary>
    private bool _isExecuting;

    /// <summary>Commands queued so far.</summary>
    private int _queued;

    /// <summary>Each SELECT inside the transaction: its place there, and the database it asks for.</summary>
    private List<(int Place, int Database)>? _selects;

    private enum Transaction : byte { None, Deferred, Open }

    /// <summary>
    /// A change of state that was refused did not happen. A command that was refused spoils the transaction, as it does at a server; EXEC and DISCARD end it, for a transaction that stayed open would
    /// take every later command of the client. Who wants no answers gets no error either.
    /// </summary>
    /// <inheritdoc/>
    public override bool OnRefused(in FrameHead request, IExchange exchange, out Decision instead)
    {
        bool ends = (RedisCommandId)request.Method is RedisCommandId.Exec or RedisCommandId.Discard;
        _spoiled = _transaction != Transaction.None;
        if (_transaction == Transaction.Open && ends && exchange.IsPinned)
        {
            instead = Mute(Abort(exchange), _replies);
            return true;
        }

        if (_transaction == Transaction.None && (RedisCommandId)request.Method is RedisCommandId.Select or RedisCommandId.Hello or RedisCommandId.Auth
            or RedisCommandId.Script or RedisCommandId.Function or RedisCommandId.Client)
        {
            // It was to go to a connection of another state, that it asks for or that does not matter to it, which this client is not in.
            exchange.Profile = _profile.ToConnection();
        }
        else if (ends && _transaction != Transaction.None)
        {
            ForgetTransaction();
        }

        bool silent = _replies != Replies.On;
        EndSkip();
        UpdatePlain();
        instead = Decision.Dropped;
        return silent;
    }

    /// <summary>A command of a transaction spoils it. With EXEC on its way it is too late for that: nobody would know of which commands the results are.</summary>
    /// <inheritdoc/>
    public override bool OnGivenUp()
    {
        _spoiled |= _transaction != Transaction.None;
        return !_isExecuting;
    }

    private Decision OutsideTransaction(in RedisRequest request, IExchange exchange)
    {
        bool bare = request.Id != RedisCommandId.Watch;
        if (bare ? request.Count != 1 : request.Count < 2)
        {
            return request.Id == RedisCommandId.Exec ? Unwatch(request, exchange) : Error(exchange, RedisErrors.Arity(request.Command));
        }

        return request.Id switch
        {
            RedisCommandId.Multi => Begin(request, exchange),
            RedisCommandId.Watch => Watch(request, exchange),
            RedisCommandId.Unwatch => Unwatch(request, exchange),
            RedisCommandId.Exec => Error(exchange, RedisErrors.ExecWithoutMulti),
            _ => Error(exchange, RedisErrors.DiscardWithoutMulti),
        };
    }

    private Decision Begin(in RedisRequest request, IExchange exchange)
    {
        // Those of a transaction that was not executed changed nothing.
        _selects?.Clear();
        if (exchange.IsPinned)
        {
            // As in Change: given up behind a request that blocks it would happen all the same, later.
            return exchange.IsQuiet
                ? Keyless(request, exchange, ForwardFlags.Own | ForwardFlags.Observe | ForwardFlags.Wait) with { Tag = (short)Purpose.BeginTransaction }
                : Decision.NeedQuiet;
        }

        _watchLost = _watching;
        _transaction = Transaction.Deferred;
        return Ok(exchange);
    }

    private Decision Watch(in RedisRequest request, IExchange exchange)
    {
        Decision decision = Keyed(request, exchange, ForwardFlags.Pin);
        return decision.Act == Act.Forward ? decision with { Flags = ForwardFlags.Pin, Tag = (short)Purpose.Watch } : decision;
    }

    /// <summary>Ends what WATCH began: UNWATCH does, and an EXEC with arguments, which the server refuses. Who may not UNWATCH watches on.</summary>
    private Decision Unwatch(in RedisRequest request, IExchange exchange)
    {
        if (_watching && exchange.IsPinned)
        {
            return request.Id == RedisCommandId.Exec
                ? Keyless(request, exchange, EndFlags(selects: false)) with { Tag = (short)Purpose.EndTransaction }
                : Keyless(request, exchange, ForwardFlags.Own | ForwardFlags.Observe | ForwardFlags.Wait) with { Tag = (short)Purpose.Unwatch };
        }

        _watching = false;
        return request.Id == RedisCommandId.Exec ? Error(exchange, RedisErrors.ExecArity) : Ok(exchange);
    }

    private Decision InTransaction(in RedisRequest request, IExchange exchange)
    {
        ForgetLost(exchange);

        // With the wrong number of arguments the others are queued like any command: the server refuses them, and the transaction is spoiled.
        switch (request.Id)
        {
            case RedisCommandId.Exec:
            case RedisCommandId.Discard when request.Count == 1:
                return End(request, exchange);
            case RedisCommandId.Multi when request.Count == 1:
                return Error(exchange, RedisErrors.NestedMulti);
            case RedisCommandId.Watch when request.Count > 1:
                return Error(exchange, RedisErrors.WatchInMulti);
            case RedisCommandId.Reset when request.Count == 1:
                return Reset(request, exchange);
            case RedisCommandId.Quit:
                return Quit(exchange);
        }

        Decision decision = Queue(request, exchange);
        _spoiled |= decision.Act != Act.Forward && !(decision.Act == Act.Answer && (_spoiled || _watchLost));
        return decision;
    }

    private Decision Queue(in RedisRequest request, IExchange exchange)
    {
        bool unsupported = request.Command.Rule is RedisRule.Refuse or RedisRule.Subscribe
            || request.Id is RedisCommandId.Hello or RedisCommandId.Auth or RedisCommandId.Monitor
            || (request.Command.Rule == RedisRule.Local && request.Id == RedisCommandId.Client);
        if (unsupported)
        {
            return Error(exchange, RedisErrors.RefusedInMulti(request.Command));
        }

        if (TryAnswerQueued(exchange, out Decision queued))
        {
            return queued;
        }

        if (request.Command.Rule is RedisRule.Fanout or RedisRule.Scan && exchange.AllTargets() > 1)
        {
            return Error(exchange, RedisErrors.ManyNodes(request.Command));
        }

        ForwardFlags pin = _transaction == Transaction.Deferred ? ForwardFlags.Pin : ForwardFlags.None;
        Decision decision = NeedsNoDefaultRoute(request) ? KeylessAnywhere(request, exchange, pin) : Keyed(request, exchange, pin);
        if (decision.Act != Act.Forward)
        {
            return decision;
        }

        // A replica has no transaction to add to, and one that begins with PUBLISH is where this client's data is all the same.
        decision = decision with { Flags = decision.Flags & (ForwardFlags.Pin | ForwardFlags.Own | ForwardFlags.OnlyServer) };
        if (_transaction == Transaction.Deferred)
        {
            return OpenBefore(decision, exchange);
        }

        return request.Id == RedisCommandId.Select ? SelectLater(request, decision)
            : request.Command.Rule == RedisRule.Pin ? decision with { Tag = (short)Purpose.PinInTransaction }
            : decision;
    }

    /// <summary>A long command that is to be the first of a transaction, and is not whole yet: its head chooses the node.</summary>
    private Decision QueueFirst(in RespRequestHead head, IExchange exchange)
    {
        ForgetLost(exchange);
        return TryAnswerQueued(exchange, out Decision queued) ? queued : OpenBefore(Decision.Forward((int)head.KeyOffset, (int)head.KeyLength, ForwardFlags.Pin), exchange);
    }

    private static Decision OpenBefore(in Decision decision, IExchange exchange)
    {
        exchange.Before.Write("*1\r\n$5\r\nMULTI\r\n"u8);
        return decision with { Flags = decision.Flags | ForwardFlags.Ahead, Tag = (short)Purpose.OpenTransaction };
    }

    /// <summary>Answers a command of a transaction that no server has, or will execute: nothing needs to reach one.</summary>
    private bool TryAnswerQueued(IExchange exchange, out Decision decision)
    {
        decision = Answered();
        if (_multiRefused is { } refused)
        {
            _multiRefused = null;
            AnswerTo(exchange).Write(refused);
            decision = EndsBehind(refused) ? decision with { Flags = ForwardFlags.Last } : decision;
            return true;
        }

        bool isOver = _transaction == Transaction.Deferred && (_spoiled || _watchLost);
        if (isOver)
        {
            AnswerTo(exchange).Write("+QUEUED\r\n"u8);
        }

        return isOver;
    }

    /// <summary>Where the connection of a transaction was lost, what it had queued went with it.</summary>
    private void ForgetLost(IExchange exchange)
    {
        if (_transaction == Transaction.Open && !exchange.IsPinned)
        {
            (_transaction, _spoiled) = (Transaction.Deferred, true);
        }
    }

    /// <summary>The answer to a MULTI that was answered here, when its server is known. What was refused leaves a connection that nobody else is to get.</summary>
    private ReplyAct Opened(in FrameView reply)
    {
        if (!IsError(reply))
        {
            _transaction = Transaction.Open;
            return ReplyAct.Pass;
        }

        (_multiRefused, _spoiled) = (reply.Bytes.ToArray(), true);
        return ReplyAct.UnpinAndClose;
    }

    /// <summary>The answer to a MULTI on a connection that the client has already.</summary>
    private ReplyAct Begun(in FrameView reply)
    {
        _transaction = IsError(reply) ? Transaction.None : Transaction.Open;
        return ReplyAct.Pass;
    }

    private Decision SelectLater(in RedisRequest request, in Decision decision)
    {
        _wanted = _profile with { Database = request.Count == 2 && TryNumber(request.Arguments[1], out int database) ? database : _profile.Database };
        return decision with { Tag = (short)Purpose.SelectInTransaction };
    }

    private Decision End(in RedisRequest request, IExchange exchange)
    {
        bool execute = request.Id == RedisCommandId.Exec;
        if (_transaction == Transaction.Deferred)
        {
            string? aborted = request.Count != 1 ? RedisErrors.ExecArity : execute && _spoiled ? RedisErrors.TransactionAborted : null;
            bool lost = execute && _watchLost;
            ForgetTransaction();
            if (aborted is not null)
            {
                return Error(exchange, aborted);
            }

            AnswerTo(exchange).Write(lost ? (IsResp3 ? "_\r\n"u8 : "*-1\r\n"u8) : execute ? "*0\r\n"u8 : "+OK\r\n"u8);
            return Answered();
        }

        if (execute && _spoiled)
        {
            return Abort(exchange);
        }

        if (execute && _selects is { Count: > 0 } && !exchange.IsQuiet)
        {
            // It changes the database, which is known by its answer alone.
            return Decision.NeedQuiet;
        }

        return execute
            ? Keyless(request, exchange, EndFlags(selects: _selects is { Count: > 0 })) with { Tag = (short)Purpose.EndTransaction }
            : Keyless(request, exchange, EndFlags(selects: false) | ForwardFlags.Observe | ForwardFlags.Wait) with { Tag = (short)Purpose.Discard };
    }

    /// <summary>Sends DISCARD, whose answer becomes that of an EXEC that fails.</summary>
    private Decision Abort(IExchange exchange)
    {
        exchange.Replacement.Write("*1\r\n$7\r\nDISCARD\r\n"u8);
        return Decision.Forward(flags: EndFlags(selects: false) | ForwardFlags.Observe | ForwardFlags.Wait) with { Tag = (short)Purpose.EndSpoiledTransaction };
    }

    private ForwardFlags EndFlags(bool selects) => ForwardFlags.Own
        | (selects || _dirty ? ForwardFlags.Observe | ForwardFlags.Wait : _sticky ? ForwardFlags.None : ForwardFlags.Unpin);

    /// <summary>The answer to EXEC or DISCARD, when there is more to do than to let the connection go.</summary>
    private ReplyAct Ended(in FrameView reply, bool spoiled, bool muted, IExchange exchange)
    {
        bool undecided = _selects is { Count: > 0 };
        foreach ((int place, int database) in _selects ?? [])
        {
            // An array of as many answers as were queued, unless nothing was executed.
            if (!spoiled && RespReader.TryElement(reply.Bytes, place, out ReadOnlySpan<byte> answer) && answer.StartsWith("+OK"u8))
            {
                _profile = _profile with { Database = database };
                exchange.Profile = _profile.ToConnection();
                _dirty = true;
            }
        }

        _selects?.Clear();
        if (undecided && !spoiled && RespLocalReply.IsOwn(reply.Bytes))
        {
            // It may have been executed: in which database the client would be then was in the answer.
            return ReplyAct.EndClient;
        }

        if (spoiled)
        {
            RespWriter.WriteError(muted ? Nowhere : exchange.Answer, RedisErrors.TransactionAborted);
            if (_sticky)
            {
                // Of a transaction that the server did not discard nothing is executed; its connection is no other client's.
                (_transaction, _spoiled) = IsRefusedDiscard(reply) ? (Transaction.Open, true) : (_transaction, _spoiled);
                return ReplyAct.Replace;
            }

            bool closes = _dirty;
            _dirty = false;
            return closes ? ReplyAct.ReplaceAndClose : ReplyAct.Replace;
        }

        return _sticky ? ReplyAct.Pass : _dirty ? LetGo() : !undecided ? ReplyAct.Pass : IsError(reply) ? ReplyAct.UnpinAndClose : ReplyAct.Unpin;
    }

    /// <summary>The answer to a client's DISCARD. As at the server, one that is refused ends no transaction, and that is executed no more.</summary>
    private ReplyAct Discarded(in FrameView reply)
    {
        _selects?.Clear();
        if (IsRefusedDiscard(reply))
        {
            (_transaction, _spoiled) = (_sticky ? Transaction.Open : Transaction.Deferred, true);
        }

        return _dirty && !_sticky ? LetGo() : ReplyAct.Pass;
    }

    /// <summary>A transaction that is over at the server was not refused to end, nor one whose connection is gone, as it is where the error is the proxy's own.</summary>
    private static bool IsRefusedDiscard(in FrameView reply) =>
        IsError(reply) && !RespLocalReply.IsOwn(reply.Bytes) && !reply.Bytes.StartsWith("-ERR DISCARD without MULTI"u8);

    private ReplyAct LetGo()
    {
        _dirty = false;
        return ReplyAct.UnpinAndClose;
    }

    private void ForgetTransaction()
    {
        (_transaction, _watching, _spoiled, _watchLost, _queued, _multiRefused) = (Transaction.None, false, false, false, 0, null);
    }
}

using System.Buffers;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <content>
/// Subscriptions. Messages answer nothing, so the client's own connection relays while anything is subscribed: what the server sends
/// passes as it comes. <see cref="RedisSubscriptions"/> tells when nothing is left to come.
/// </content>
public sealed partial class RedisConversation
{
    private RedisSubscriptions? _subscriptions;
    private RelayedRequest _pendingRelay;
    private bool _relaying;

    /// <summary>Whether the server took something while the connection relayed whose end cannot be told there: it relays for good.</summary>
    private bool _leavesTraces;

    /// <inheritdoc/>
    public override ReplyAct OnRelayed(FrameKind kind, in FrameView frame, IExchange exchange)
    {
        if (_subscriptions is not { } subscriptions)
        {
            return ReplyAct.Pass;
        }

        switch (subscriptions.Take(frame.Bytes, frame.IsWhole, _profile.Version))
        {
            case RelayEnd.Reset:
                ForgetAll(exchange);
                UpdatePlain();
                return ReplyAct.UnpinAndClose;
            case RelayEnd.NothingLeft when !_leavesTraces:
                _relaying = false;
                UpdatePlain();
                if (subscriptions.TakeName() is { } name)
                {
                    // The connection has it too, and is no other client's for that.
                    (_name, _dirty) = (NameOf(name), true);
                }

                return _sticky || _watching ? ReplyAct.EndRelay : _dirty ? LetGo() : ReplyAct.Unpin;
            case RelayEnd.ResetRefused:
                return ReplyAct.Resume;
            default:
                return subscriptions.HasUnanswered ? ReplyAct.Pass : ReplyAct.Resume;
        }
    }

    /// <inheritdoc/>
    public override bool AwaitsRelayed => _subscriptions is { AwaitsAnswers: true };

    private Decision Subscribe(in RedisRequest request, IExchange exchange)
    {
        if (request.Id is RedisCommandId.Unsubscribe or RedisCommandId.Punsubscribe or RedisCommandId.Sunsubscribe)
        {
            return UnsubscribeNothing(request, exchange);
        }

        if (request.Count < 2)
        {
            return Error(exchange, RedisErrors.Arity(request.Command));
        }

        _pendingRelay = RelayedRequest.Of(request.Id, request.Count - 1);
        Decision decision = request.Id == RedisCommandId.Ssubscribe
            ? Keyed(request, exchange, ForwardFlags.Pin | ForwardFlags.Relay)
            : Keyless(request, exchange, ForwardFlags.Pin | ForwardFlags.Relay | RedisForwarding.FlagsOf(request.Command));
        return decision.Act == Act.Forward ? decision with { Tag = (short)Purpose.Relay } : decision;
    }

    /// <summary>Answers as the server does when nothing is subscribed: one confirmation for each channel, or one for none.</summary>
    private Decision UnsubscribeNothing(in RedisRequest request, IExchange exchange)
    {
        // Confirmations come whatever CLIENT REPLY said.
        IBufferWriter<byte> answer = exchange.Answer;
        for (int i = 1; i < Math.Max(request.Count, 2); i++)
        {
            RespWriter.WriteHeader(answer, IsResp3 ? (byte)'>' : (byte)'*', 3);
            RespWriter.WriteBulk(answer, request.Id switch
            {
                RedisCommandId.Unsubscribe => "unsubscribe"u8,
                RedisCommandId.Punsubscribe => "punsubscribe"u8,
                _ => "sunsubscribe"u8,
            });
            if (i < request.Count)
            {
                RespWriter.WriteBulk(answer, request.Arguments[i]);
            }
            else
            {
                answer.Write(IsResp3 ? "_\r\n"u8 : "$-1\r\n"u8);
            }

            answer.Write(":0\r\n"u8);
        }

        return Answered();
    }

    /// <summary>
    /// A command of a client whose connection relays. An answer of the proxy's own could come between those of the server in the
    /// wrong place, so whatever cannot be passed on ends the connection. A server that is known to refuse the command, as in version 2 to who is
    /// subscribed, does so itself.
    /// </summary>
    private Decision Relayed(in RedisRequest request, IExchange exchange)
    {
        bool refusedThere = IsSubscribedThere && request.Command.Rule != RedisRule.Subscribe;
        _pendingRelay = Awaited(request, refusedThere);
        if (request.Command.Rule == RedisRule.Refuse || (!refusedThere && ChangesConnection(request)))
        {
            return Error(exchange, RedisErrors.RefusedWhileSubscribed(request.Command), ForwardFlags.Last);
        }

        // Keys are nothing to a server that refuses the command: whosever they are, it has its own answer, in the right place.
        bool isKeyed = request.Id == RedisCommandId.Ssubscribe
            || (!refusedThere && request.Command.Rule != RedisRule.Subscribe && (request.Command.Keys.Count > 0 || IsCustom(request)));
        Decision decision = isKeyed ? Keyed(request, exchange)
            : refusedThere ? Keyless(request, exchange, ForwardFlags.Own)
            : NeedsNoDefaultRoute(request) ? KeylessAnywhere(request, exchange, ForwardFlags.None)
            : Keyless(request, exchange, ForwardFlags.None);
        ForwardFlags end = request.Id == RedisCommandId.Quit ? ForwardFlags.Last
            : _pendingRelay.Command == RedisCommandId.Reset ? ForwardFlags.Wait
            : ForwardFlags.None;
        return decision.Act == Act.Forward
            ? decision with { Tag = (short)Purpose.Relay, Flags = (decision.Flags & (ForwardFlags.Own | ForwardFlags.OnlyServer)) | end }
            : decision with { Flags = ForwardFlags.Last };
    }

    /// <summary>In version 2 the server refuses most commands of who is subscribed.</summary>
    private bool IsSubscribedThere => _profile.Version == 2 && _subscriptions is { IsSubscribed: true };

    private static RelayedRequest Awaited(in RedisRequest request, bool refusedThere)
    {
        switch (request.Id)
        {
            case var _ when request.Command.Rule == RedisRule.Subscribe:
                return RelayedRequest.Of(request.Id, request.Count - 1);
            case RedisCommandId.Reset when request.Count == 1:
                return RelayedRequest.Reset;
            case RedisCommandId.Quit:
                return RelayedRequest.Endless;
            case RedisCommandId.Monitor when !refusedThere:
                return RelayedRequest.Monitor;
            case RedisCommandId.Client when !refusedThere && request.Count == 3 && request.Is(1, "SETNAME"u8):
                return RelayedRequest.Other with { Name = request.Arguments[2].ToArray() };
            default:
                bool leavesTraces = request.Command.Rule == RedisRule.Pin || request.Id is RedisCommandId.Multi or RedisCommandId.Watch;
                return RelayedRequest.Other with { LeavesTraces = leavesTraces && !refusedThere };
        }
    }

    /// <summary>What would make the client's connection another than its pool and this conversation take it for.</summary>
    private static bool ChangesConnection(in RedisRequest request) => request.Id is RedisCommandId.Hello or RedisCommandId.Auth or RedisCommandId.Select
        || request.Command == RedisCommandTable.FindSubcommand(RedisCommandId.Client, "REPLY"u8);
}

using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// What one Redis client has said so far: who it is, which database and version it speaks, its transaction, its subscriptions, and
/// whether it wants answers. docs/redis-commands.md tells the rule of every command. The common request takes
/// the first branch of <see cref="OnRequest"/>: no state, one key, nothing looked at but the scanner's head.
/// </summary>
public sealed partial class RedisConversation : Conversation<RespCodec>
{
    private readonly RedisConversationOptions _options;
    private RedisProfile _profile;
    private RedisProfile _wanted;
    private bool _started;
    private bool _authenticated;
    private bool _plain;

    /// <summary>A client at its first byte.</summary>
    /// <param name="options">What is asked of clients.</param>
    public RedisConversation(RedisConversationOptions options)
    {
        _options = options;
        _profile = RedisProfile.Of(options.Upstream);
        _authenticated = options.Passwords.IsEmpty;
    }

    /// <summary>What becomes of an answer, and what a reply's tag says of the request.</summary>
    private enum Purpose : short
    {
        None,
        BeginTransaction,
        OpenTransaction,
        Watch,
        Unwatch,
        Discard,
        EndTransaction,
        EndSpoiledTransaction,
        SelectInTransaction,
        PinInTransaction,
        ChangeProfile,
        ChangePinned,
        Reset,
        Pin,
        Monitor,
        Relay,

        /// <summary>On a connection of another state than the client's.</summary>
        Apart,

        /// <summary>The client wants no answer; may stand beside any of the others.</summary>
        Muted = 256,
    }

    private bool IsResp3 => _profile.Version == 3;

    /// <inheritdoc/>
    public override Decision OnRequest(ref RespCodec codec, in FrameView frame, IExchange exchange)
    {
        ref readonly RespRequestHead request = ref codec.Request;
        if (!_started)
        {
            Start(exchange);
        }

        // Lines, and arrays of nothing, have no arguments yet.
        if (_plain && request.ArgumentCount > 0)
        {
            int flags = RedisForwarding.OfOneKey(request.Command);
            if (flags >= 0)
            {
                return Decision.Forward((int)request.KeyOffset, (int)request.KeyLength, (ForwardFlags)flags);
            }

            flags = exchange.RoutesByKey ? -1 : RedisForwarding.OfManyKeys(request.Command);
            if (flags >= 0)
            {
                return Decision.Forward(flags: (ForwardFlags)flags);
            }
        }

        return OnUnusual(request, frame, exchange);
    }

    /// <inheritdoc/>
    public override Decision OnCopy(in RespCodec codec, in FrameView frame, IExchange exchange)
    {
        ReadOnlySpan<byte> bytes = frame.Bytes;
        bool isLine = codec.Request.IsInline;
        if (isLine && !RespInline.TryConvert(frame.Bytes, out bytes))
        {
            return Decision.Dropped;
        }

        using var arguments = new RespArguments(bytes);
        RedisRequest request = Parse(isLine ? null : codec.Request.Command, bytes, arguments, converted: isLine);
        return request.Command.Rule switch
        {
            RedisRule.Split => SplitByKey(request, exchange),
            RedisRule.Fanout => Fanout(request, exchange),
            _ => Keyed(request, exchange),
        };
    }

    /// <inheritdoc/>
    public override void OnSent(in Decision decision, IExchange exchange)
    {
        if (_plain && decision.Tag == 0)
        {
            return;
        }

        EndSkip();
        if (((Purpose)decision.Tag & ~Purpose.Muted) == Purpose.Apart)
        {
            exchange.Profile = _profile.ToConnection();
        }

        Sent((Purpose)decision.Tag & ~Purpose.Muted);
        UpdatePlain();
    }

    /// <inheritdoc/>
    public override ReplyAct OnReply(int tag, in FrameView reply, IExchange exchange)
    {
        bool muted = ((Purpose)tag & Purpose.Muted) != 0;
        ReplyAct act = Replied((Purpose)tag & ~Purpose.Muted, muted, reply, exchange);
        UpdatePlain();
        return !muted || act == ReplyAct.EndClient ? act : act is ReplyAct.Pass or ReplyAct.Replace ? ReplyAct.Replace : ReplyAct.ReplaceAndClose;
    }

    /// <inheritdoc/>
    public override void Merge(in MergeInput input, IExchange exchange)
    {
        if (((Purpose)input.Tag & Purpose.Muted) == 0)
        {
            RedisMerge.Write(input.Replies, exchange.Answer);
        }
    }

    private Decision OnUnusual(in RespRequestHead head, in FrameView frame, IExchange exchange)
    {
        if (frame.Head.Kind == FrameKind.Empty)
        {
            return Decision.Dropped;
        }

        if (!frame.IsWhole)
        {
            return _authenticated ? OnHead(head, frame, exchange) : Error(exchange, RedisErrors.NoAuthentication, ForwardFlags.Last);
        }

        if (!head.IsInline)
        {
            return Decide(head.Command, frame.Bytes, converted: false, exchange);
        }

        if (!RespInline.TryConvert(frame.Bytes, out ReadOnlySpan<byte> converted))
        {
            return Error(exchange, RedisErrors.UnbalancedQuotes, ForwardFlags.Last);
        }

        return converted.IsEmpty ? Decision.Dropped : Decide(null, converted, converted: true, exchange);
    }

    /// <summary>A long command whose end is not here yet. Where its head is enough to decide, it is not held.</summary>
    private Decision OnHead(in RespRequestHead head, in FrameView frame, IExchange exchange)
    {
        int flags = RedisForwarding.OfOneKey(head.Command);
        flags = flags < 0 && !exchange.RoutesByKey ? RedisForwarding.OfManyKeys(head.Command) : flags;
        if (flags < 0 || head.IsInline || (head.Command == RedisCommandId.Other && MayBeCustom(frame.Bytes)))
        {
            return Decision.NeedWhole;
        }

        if (_transaction == Transaction.Deferred || (_transaction == Transaction.Open && !exchange.IsPinned))
        {
            return Mute(QueueFirst(head, exchange), _replies);
        }

        if (exchange.IsRelaying && IsSubscribedThere)
        {
            _pendingRelay = RelayedRequest.Other;
            return Decision.Forward(flags: ForwardFlags.Own) with { Tag = (short)Purpose.Relay };
        }

        if (exchange.IsPinned && exchange.RoutesByKey)
        {
            ReadOnlySpan<byte> key = frame.Bytes.Slice((int)head.KeyOffset, (int)head.KeyLength);
            if (exchange.TargetOf(key, false, out _) != exchange.PinnedTarget)
            {
                return Decision.NeedWhole;
            }
        }

        Decision decision = Decision.Forward((int)head.KeyOffset, (int)head.KeyLength, (ForwardFlags)flags);
        if (exchange.IsRelaying)
        {
            _pendingRelay = RelayedRequest.Other;
            return decision with { Flags = ForwardFlags.None, Tag = (short)Purpose.Relay };
        }

        return Mute(exchange.IsPinned ? decision with { Flags = ForwardFlags.None } : decision, _replies);
    }

    private Decision Decide(RedisCommandId? known, ReadOnlySpan<byte> bytes, bool converted, IExchange exchange)
    {
        using var arguments = new RespArguments(bytes);
        RedisRequest request = Parse(known, bytes, arguments, converted);
        Replies before = _replies;
        _isExecuting &= !exchange.IsQuiet;
        Decision decision = !_authenticated ? Unauthenticated(request, exchange)
            : exchange.IsRelaying ? Relayed(request, exchange)
            : _transaction != Transaction.None ? InTransaction(request, exchange)
            : ByRule(request, exchange);
        UpdatePlain();
        decision = request.Id is RedisCommandId.Sort or RedisCommandId.SortRo && RedisKeys.HasPatterns(request.Arguments) && (decision.Flags & ForwardFlags.Own) == 0
            ? decision with { ReadsUnnamedKeys = true } : decision;
        return Mute(ConcernsAllKeys(request, decision) ? decision with { Flags = decision.Flags | ForwardFlags.AllKeys } : decision, before);
    }

    /// <summary>Unless the server refuses it in the state that its connection is in.</summary>
    private static bool ConcernsAllKeys(in RedisRequest request, in Decision decision) =>
        (request.Command.Rule is RedisRule.Fanout or RedisRule.Scan || request.Id == RedisCommandId.Monitor)
        && decision.Act == Act.Forward && (decision.Flags & ForwardFlags.Own) == 0;

    private static RedisRequest Parse(RedisCommandId? known, ReadOnlySpan<byte> bytes, RespArguments arguments, bool converted)
    {
        RedisCommandId id = known ?? RedisCommandTable.Find(arguments[0]);
        RedisCommand command = RedisCommandTable.Get(id);
        if (command.Rule == RedisRule.Container && arguments.Count > 1)
        {
            command = RedisCommandTable.FindSubcommand(id, arguments[1]) ?? NewerSubcommand(id, arguments[1]) ?? command;
        }

        return new RedisRequest(id, command, bytes, arguments, converted);
    }

    /// <summary>A subcommand of servers newer than the table that must not be taken for any other: CLIENT NO-TOUCH, of 7.2, is a property of one connection.</summary>
    private static RedisCommand? NewerSubcommand(RedisCommandId container, ReadOnlySpan<byte> name) =>
        container == RedisCommandId.Client && Ascii.EqualsIgnoreCase(name, "NO-TOUCH"u8) ? RedisCommandTable.FindSubcommand(container, "NO-EVICT"u8) : null;

    private Decision ByRule(in RedisRequest request, IExchange exchange) => request.Command.Rule switch
    {
        RedisRule.Key => Keyed(request, exchange),
        RedisRule.Split => exchange.IsPinned ? Keyed(request, exchange) : SplitByKey(request, exchange),
        RedisRule.Fanout or RedisRule.Default when !exchange.IsPinned && RedisForwarding.IsForBlocked(request.Command) => Apart(request, exchange),
        RedisRule.Fanout => Fanout(request, exchange),
        RedisRule.Scan => Scan(request, exchange),
        RedisRule.Local => Local(request, exchange),
        RedisRule.Session => Session(request, exchange),
        RedisRule.Transaction => OutsideTransaction(request, exchange),
        RedisRule.Subscribe => Subscribe(request, exchange),
        RedisRule.Blocking => Blocking(request, exchange),
        RedisRule.Pin => PinFor(request, exchange),
        RedisRule.Refuse => Error(exchange, RedisErrors.Refused(request.Command)),
        _ => IsCustom(request) ? Keyed(request, exchange) : Keyless(request, exchange, RedisForwarding.FlagsOf(request.Command)),
    };

    private void Start(IExchange exchange)
    {
        _started = true;
        exchange.Profile = _profile.ToConnection();
        UpdatePlain();
    }

    private void UpdatePlain() =>
        _plain = _started && _authenticated && _transaction == Transaction.None && !_watching && !_sticky && !_relaying
            && _replies == Replies.On && _options.CustomCommands.IsEmpty;
}

using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>
/// A client that talks to real servers through a conversation, one request at a time: what the runtime does, without its sockets,
/// pools and order. Keys belong to a node by their hash; with <c>prefixes</c>, those that begin with <c>p:</c> lose that.
/// </summary>
internal sealed partial class ConversationRun : IDisposable
{
    private readonly RedisPeer[] _peers;
    private readonly bool _prefixes;
    private readonly RedisConversation _conversation;
    private readonly Dictionary<(ConnectionProfile, int), RedisLink> _shared = [];
    private readonly List<RedisLink> _private = [];
    private RespCodec _codec = RespCodec.Start(Side.Downstream, CodecLimits.Default);
    private RedisLink? _pinned;
    private int _pinnedNode;

    public ConversationRun(RedisPeer[] peers, RedisConversationOptions? options = null, bool prefixes = false)
    {
        (_peers, _prefixes) = (peers, prefixes);
        _conversation = new RedisConversation(options ?? RedisConversationOptions.Default);
    }

    /// <summary>Whether the conversation has ended the connection.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Whether a client that waited while its connection relays was told to go on.</summary>
    public bool IsResumed { get; private set; }

    /// <summary>Connections of the client's own that were opened.</summary>
    public int PrivateConnections => _private.Count;

    /// <summary>Requests that went to several nodes.</summary>
    public int SplitRequests { get; private set; }

    /// <summary>The decision on the last request.</summary>
    public Decision Last { get; private set; }

    public string Ask(params string[] words) => Say(RedisLink.Frame(words));

    /// <summary>Sends a line, as telnet would.</summary>
    public string Line(string line) => Say(Encoding.Latin1.GetBytes(line + "\r\n"));

    /// <summary>Takes frames off the connection that relays.</summary>
    public string Relayed(int frames)
    {
        var seen = new StringBuilder();
        for (; frames > 0; frames--)
        {
            byte[] bytes = _pinned!.Receive(out FrameHead head);
            seen.Append(Encoding.Latin1.GetString(bytes));
            Begin();
            Apply(_conversation.OnRelayed(head.Kind, new FrameView(ref head, bytes, true), this));
        }

        return seen.ToString();
    }

    /// <summary>Sends a command of which the conversation sees only the beginning, as of a long one.</summary>
    public string Head(params string[] words)
    {
        byte[] frame = RedisLink.Frame(words);
        FrameHead head = default;
        _codec.Scan(frame, ref head, out _);
        return Say(frame, ref head, isWhole: false);
    }

    /// <summary>Lets the client's own connection go, as when its server dies.</summary>
    public void LosePinned() => (_pinned, IsRelaying) = (null, false);

    public void Dispose()
    {
        _private.ForEach(static link => link.Dispose());
        foreach (RedisLink link in _shared.Values)
        {
            link.Dispose();
        }
    }

    /// <summary>Sends bytes that are any number of whole frames.</summary>
    public string Pieces(string text)
    {
        var answers = new StringBuilder();
        for (byte[] rest = Encoding.Latin1.GetBytes(text); rest.Length > 0;)
        {
            FrameHead head = default;
            if (_codec.Scan(rest, ref head, out int consumed) != ScanStatus.Done)
            {
                throw new InvalidOperationException("no whole frame");
            }

            answers.Append(Say(rest[..consumed], ref head));
            rest = rest[consumed..];
        }

        return answers.ToString();
    }

    private string Say(byte[] frame) => Pieces(Encoding.Latin1.GetString(frame));

    private string Say(byte[] frame, ref FrameHead head, bool isWhole = true)
    {
        Begin();
        Decision decision = Last = _conversation.OnRequest(ref _codec, new FrameView(ref head, frame, isWhole), this);
        IsClosed |= (decision.Flags & ForwardFlags.Last) != 0;
        byte[] reply = decision.Act switch
        {
            Act.Forward when (decision.Flags & ForwardFlags.Ahead) != 0 => SayBehind(decision, frame, ref head, isWhole),
            Act.Forward => Forward(decision, frame),
            Act.Split => Split(decision, ref head),
            Act.Refuse => Refuse(head, decision.Reason),
            Act.Answer => _answer.WrittenSpan.ToArray(),
            Act.Drop or Act.NeedQuiet => [],
            _ => throw new InvalidOperationException($"{decision.Act} of a whole frame"),
        };
        return Encoding.Latin1.GetString(reply);
    }

    /// <summary>Asks what the conversation has to know first, and then about the frame again.</summary>
    private byte[] SayBehind(in Decision decision, byte[] frame, ref FrameHead head, bool isWhole)
    {
        byte[] reply;
        try
        {
            RedisLink link = LinkFor(decision, frame);
            link.Send(_before.WrittenSpan);
            reply = link.Receive(out _);
        }
        catch (InvalidDataException refused)
        {
            reply = Encoding.Latin1.GetBytes(refused.Message);
        }

        Reply(decision with { Flags = decision.Flags | ForwardFlags.Observe }, reply, []);
        return Encoding.Latin1.GetBytes(Say(frame, ref head, isWhole));
    }

    private byte[] Forward(in Decision decision, byte[] frame)
    {
        RedisLink link;
        try
        {
            link = LinkFor(decision, frame);
        }
        catch (InvalidDataException refused)
        {
            _conversation.OnSent(decision, this);
            return Reply(decision, Encoding.Latin1.GetBytes(refused.Message), []);
        }

        link.Send(_before.WrittenSpan);
        link.Send(_replacement.WrittenCount > 0 ? _replacement.WrittenSpan : Edited(decision, frame));
        for (int i = 0; i < decision.HiddenReplies; i++)
        {
            link.Receive(out _);
        }

        _conversation.OnSent(decision, this);
        if (IsRelaying)
        {
            return [];
        }

        var pushes = new ArrayBufferWriter<byte>();
        byte[] reply = link.Receive(out FrameHead head);
        for (; head.Kind == FrameKind.Push; reply = link.Receive(out head))
        {
            pushes.Write(reply);
        }

        return Reply(decision, reply, pushes.WrittenSpan);
    }

    private byte[] Reply(in Decision decision, byte[] reply, ReadOnlySpan<byte> pushes)
    {
        ReplyAct act = ReplyAct.Pass;
        if ((decision.Flags & ForwardFlags.Observe) != 0)
        {
            var scanner = new RespReplyScanner(RespLimitsOptions.Default);
            FrameHead head = default;
            scanner.Scan(reply, ref head, out _);
            Begin();
            act = _conversation.OnReply(decision.Tag, new FrameView(ref head, reply, true), this);
        }

        Apply(act);
        if ((decision.Flags & ForwardFlags.Unpin) != 0)
        {
            Apply(reply[0] == '-' ? ReplyAct.UnpinAndClose : ReplyAct.Unpin);
        }

        return [.. pushes, .. act is ReplyAct.Replace or ReplyAct.ReplaceAndClose ? _answer.WrittenSpan.ToArray() : reply];
    }

    private void Apply(ReplyAct act)
    {
        IsResumed |= act == ReplyAct.Resume;
        IsRelaying = act == ReplyAct.Relay || (IsRelaying && act != ReplyAct.EndRelay);
        IsClosed |= act == ReplyAct.EndClient;
        if (act is ReplyAct.Unpin or ReplyAct.UnpinAndClose or ReplyAct.ReplaceAndClose)
        {
            (_pinned, IsRelaying) = (null, false);
        }
    }

    private byte[] Split(in Decision decision, ref FrameHead head)
    {
        SplitRequests++;
        byte[] notes = _notes.WrittenSpan.ToArray();
        List<byte[]> replies = [];
        foreach ((int node, ArrayBufferWriter<byte> part) in _fragments)
        {
            replies.Add(Shared(node).Exchange(part.WrittenSpan));
        }

        _conversation.OnSent(decision, this);
        Begin();
        _conversation.Merge(new MergeInput(decision.Tag, ref head, new HeldReplies(notes, replies)), this);
        return _answer.WrittenSpan.ToArray();
    }

    private static byte[] Refuse(FrameHead head, LocalReplyReason reason)
    {
        var output = new ArrayBufferWriter<byte>();
        RespCodec.WriteLocalReply(head, new LocalReply(reason), output);
        return output.WrittenSpan.ToArray();
    }
}

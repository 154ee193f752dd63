using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>An order of answers as a type, so that each has a codec.</summary>
internal interface IBeatOrder
{
    static abstract CodecTraits Traits { get; }
}

/// <summary>Many requests in flight, answered in their order.</summary>
internal sealed class BeatsInOrder : IBeatOrder
{
    public static CodecTraits Traits { get; } = new("beats", FrameOrder.Fifo, Side.Downstream) { Affinity = Affinity.PinOnDemand, Heartbeats = Heartbeats.FromClient | Heartbeats.FromServer };
}

/// <summary>One request at a time.</summary>
internal sealed class BeatsApart : IBeatOrder
{
    public static CodecTraits Traits { get; } = BeatsInOrder.Traits with { Name = "beats_apart", Order = FrameOrder.PingPong };
}

/// <summary>
/// Lines without ids, whose servers say more than answers: signs of life, that they go away, news. A request's first letter tells its kind, a server's second
/// one does; behind the first, a colon, it could be any.
/// </summary>
internal struct BeatCodec<TOrder> : IXRpcCodec<BeatCodec<TOrder>>
    where TOrder : IBeatOrder
{
    private readonly Side _from;
    private long _taken;
    private bool _told;

    private BeatCodec(Side from) => _from = from;

    public static CodecTraits Traits => TOrder.Traits;

    public static BeatCodec<TOrder> Start(Side from, CodecLimits limits) => new(from);

    public static Detection Detect(ReadOnlySpan<byte> first) => first.IsEmpty ? Detection.More : Detection.Yes;

    public static string Describe(int fault) => "no fault";

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        output.Write(Encoding.ASCII.GetBytes($":-{reply.Reason}\n"));
        return true;
    }

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output)
    {
        if (control == ControlFrame.GoAway && from == Side.Downstream)
        {
            return false;
        }

        output.Write(from == Side.Upstream ? ":"u8 : default);
        output.Write(control switch { ControlFrame.Ping => "!\n"u8, ControlFrame.Pong => ".\n"u8, _ => "G\n"u8 });
        return true;
    }

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        if (input.IsEmpty)
        {
            return ScanStatus.More;
        }

        if (_taken == 0)
        {
            _told = false;
            head = default;
        }

        int letter = (_from == Side.Upstream ? 1 : 0) - (int)Math.Min(_taken, 2);
        if (letter >= 0)
        {
            // Right only when the letter is there: until then it may be said to be anything.
            Begin(letter < input.Length ? (char)input[letter] : '=', ref head);
        }

        int end = input.IndexOf((byte)'\n');
        consumed = end < 0 ? input.Length : end + 1;
        head.Length = _taken += consumed;
        if (end >= 0)
        {
            _taken = 0;
            return ScanStatus.Done;
        }

        bool tells = !_told && letter < input.Length;
        _told |= tells;
        return tells ? ScanStatus.Head : ScanStatus.More;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        value = default;
        return false;
    }

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => false;

    private readonly void Begin(char letter, ref FrameHead head)
    {
        if (_from == Side.Upstream)
        {
            head.Kind = letter switch
            {
                '!' => FrameKind.Ping,
                '.' => FrameKind.Pong,
                '~' => FrameKind.Empty,
                'G' => FrameKind.GoAway,
                '>' => FrameKind.Push,
                '-' => FrameKind.ErrorResponse,
                _ => FrameKind.Response,
            };
            return;
        }

        head.HeadLength = 1;
        (head.Kind, head.Replies, head.Flags) = letter switch
        {
            '!' => (FrameKind.Ping, 0, FrameFlags.None),
            '.' => (FrameKind.Pong, 0, FrameFlags.None),
            'n' => (FrameKind.Request, 0, FrameFlags.OneWay),
            'I' => (FrameKind.Request, 1, FrameFlags.Pin),
            'U' => (FrameKind.Request, 1, FrameFlags.Unpin),
            'L' => (FrameKind.Request, 1, FrameFlags.LastOnConnection | FrameFlags.Idempotent),
            'M' => (FrameKind.Request, 0, FrameFlags.LastOnConnection | FrameFlags.OneWay),
            _ => (FrameKind.Request, 1, FrameFlags.None),
        };
    }
}

/// <summary>Forwards as most protocols do; behind a request that begins with <c>R</c> frames pass in both directions as they come.</summary>
internal sealed class BeatConversation : Conversation<BeatCodec<BeatsInOrder>>
{
    private readonly ForwardingConversation<BeatCodec<BeatsInOrder>> _forwarding = new();

    public override Decision OnRequest(ref BeatCodec<BeatsInOrder> codec, in FrameView frame, IExchange exchange)
    {
        Decision decision = _forwarding.OnRequest(ref codec, frame, exchange);
        return frame.Bytes[0] == 'R' ? decision with { Flags = ForwardFlags.Relay } : decision;
    }
}

using MeshL4.XRpc.Contracts;

namespace MeshL4.Samples.PingPong;

/// <summary>
/// The sample protocol: many calls in flight on one connection, answered in any order, by id. A frame is a head of 16 bytes
/// (<see cref="PingPongFrame"/>) and a body that the head tells the length of.
/// </summary>
public partial struct PingPongCodec : IXRpcCodec<PingPongCodec>
{
    private readonly Side _from;
    private readonly long _maxFrame;
    private PingPongHead _head;
    private long _taken;
    private bool _headTold;
    private PingPongFault _fault;

    private PingPongCodec(Side from, CodecLimits limits)
    {
        _from = from;
        _maxFrame = limits.MaxFrame;
    }

    /// <inheritdoc/>
    public static CodecTraits Traits { get; } = new("pingpong", FrameOrder.Multiplexed, Side.Downstream)
    {
        Id = new FixedId(PingPongFrame.IdAt, 4),
        IdBits = 32,
        Heartbeats = Heartbeats.FromClient | Heartbeats.FromServer,
        MaxHead = PingPongFrame.HeadLength + byte.MaxValue,
        Meta = [new MetaKey("service", MetaTier.Prefix), new MetaKey("lane", MetaTier.FixedHead), new MetaKey("tenant", MetaTier.WholeBody)],
        KeyMeta = Service,
        ServiceMeta = Service,
        EditsMetadata = true,
        Methods = ["other", "call", "notify", "subscribe"],
    };

    private static int Service => 0;

    private static int Lane => 1;

    private static int Tenant => 2;

    private readonly int PrefixLength => PingPongFrame.HeadLength + _head.ServiceLength;

    private readonly long FrameLength => PingPongFrame.HeadLength + (long)_head.BodyLength;

    /// <inheritdoc/>
    public static PingPongCodec Start(Side from, CodecLimits limits) => new(from, limits);

    /// <inheritdoc/>
    public static Detection Detect(ReadOnlySpan<byte> first) => first switch
    {
        [] => Detection.More,
        [not (byte)(PingPongFrame.Magic >> 8), ..] => Detection.No,
        [_] => Detection.More,
        [_, (byte)(PingPongFrame.Magic & 0xff), ..] => Detection.Yes,
        _ => Detection.No,
    };

    /// <inheritdoc/>
    public static string Describe(int fault) => (PingPongFault)fault switch
    {
        PingPongFault.Magic => "a frame does not begin with the magic number",
        PingPongFault.Kind => "a kind of frame that this side does not send",
        PingPongFault.Lane => "the lane is no printable character",
        PingPongFault.Id => "the id is 0",
        PingPongFault.Flags => "an unknown flag",
        PingPongFault.Lengths => "service and tenant are longer than the body",
        PingPongFault.TooLong => "the frame is too long",
        _ => "no fault",
    };

    /// <inheritdoc/>
    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        if (_fault != PingPongFault.None)
        {
            return ScanStatus.Bad;
        }

        if (_taken == 0)
        {
            head = default;
            _headTold = false;
        }

        if (_taken < PingPongFrame.HeadLength)
        {
            consumed = TakeHead(input);
            head.Length = _taken;
            if (_taken < PingPongFrame.HeadLength)
            {
                return ScanStatus.More;
            }

            _fault = _head.Check(_from, _maxFrame);
            if (_fault != PingPongFault.None)
            {
                head.Fault = (int)_fault;
                return ScanStatus.Bad;
            }

            Fill(ref head);
        }

        return TakeBody(input, ref head, ref consumed);
    }

    private int TakeHead(ReadOnlySpan<byte> input)
    {
        int count = (int)Math.Min(PingPongFrame.HeadLength - _taken, input.Length);
        input[..count].CopyTo(((Span<byte>)_head)[(int)_taken..]);
        _taken += count;
        return count;
    }

    private ScanStatus TakeBody(ReadOnlySpan<byte> input, ref FrameHead head, ref int consumed)
    {
        int count = (int)Math.Min(FrameLength - _taken, input.Length - consumed);
        consumed += count;
        _taken += count;
        head.Length = _taken;
        if (_taken == FrameLength)
        {
            _taken = 0;
            return ScanStatus.Done;
        }

        if (_headTold || _taken < PrefixLength)
        {
            return ScanStatus.More;
        }

        _headTold = true;
        return ScanStatus.Head;
    }

    private readonly void Fill(ref FrameHead head)
    {
        head.Id = _head.Id;
        head.HeadLength = PrefixLength;
        head.Flags = _head[PingPongFrame.FlagsAt] == PingPongFrame.Idempotent ? FrameFlags.Idempotent : FrameFlags.None;
        (head.Kind, head.Method, head.Replies) = _head.Kind switch
        {
            PingPongKind.Ping => (FrameKind.Ping, 0, 0),
            PingPongKind.Pong => (FrameKind.Pong, 0, 0),
            PingPongKind.Call => (FrameKind.Request, 1, 1),
            PingPongKind.Notify => (FrameKind.Request, 2, 0),
            PingPongKind.Subscribe => (FrameKind.Request, 3, FrameHead.UntilEnd),
            PingPongKind.Result => (FrameKind.Response, 0, 0),
            PingPongKind.Failure => (FrameKind.ErrorResponse, 0, 0),
            PingPongKind.Item => (FrameKind.StreamData, 0, 0),
            PingPongKind.End => (FrameKind.StreamEnd, 0, 0),
            _ => (FrameKind.GoAway, 0, 0),
        };
        head.Flags |= _head.Kind == PingPongKind.Notify ? FrameFlags.OneWay : FrameFlags.None;
    }
}

using System.Buffers;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests;

/// <summary>
/// One line asks, one line answers, one request at a time: the order that no protocol of the build has. The first letter of a request
/// chooses what kind of frame it is, so that there is one of each that the runtime refuses.
/// </summary>
internal struct LineCodec : IXRpcCodec<LineCodec>
{
    private readonly Side _from;
    private long _taken;

    private LineCodec(Side from) => _from = from;

    public static CodecTraits Traits { get; } = new("lines", FrameOrder.PingPong, Side.Downstream);

    public static LineCodec Start(Side from, CodecLimits limits) => new(from);

    public static Detection Detect(ReadOnlySpan<byte> first) => first.IsEmpty ? Detection.More : Detection.Yes;

    public static string Describe(int fault) => "no fault";

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        output.Write(Encoding.ASCII.GetBytes($"error {reply.Reason}\n"));
        return true;
    }

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) => false;

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        if (input.IsEmpty)
        {
            return ScanStatus.More;
        }

        bool begins = _taken == 0;
        if (begins)
        {
            head = default;
            Begin(input[0], ref head);
        }

        int end = input.IndexOf((byte)'\n');
        consumed = end < 0 ? input.Length : end + 1;
        head.Length = _taken += consumed;
        if (end >= 0)
        {
            _taken = 0;
            return ScanStatus.Done;
        }

        return begins ? ScanStatus.Head : ScanStatus.More;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        value = default;
        return false;
    }

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => false;

    private readonly void Begin(byte first, ref FrameHead head)
    {
        if (_from == Side.Upstream)
        {
            head.Kind = first == 'e' ? FrameKind.ErrorResponse : FrameKind.Response;
            return;
        }

        (head.Kind, head.Replies, head.Flags) = (char)first switch
        {
            'O' => (FrameKind.StreamOpen, 1, FrameFlags.None),
            'D' => (FrameKind.StreamData, 1, FrameFlags.None),
            'E' => (FrameKind.StreamEnd, 1, FrameFlags.None),
            'H' => (FrameKind.Handshake, 1, FrameFlags.None),
            'R' => (FrameKind.Raw, 1, FrameFlags.None),
            'U' => (FrameKind.Push, 1, FrameFlags.None),
            'A' => (FrameKind.Response, 1, FrameFlags.None),
            'G' => (FrameKind.GoAway, 0, FrameFlags.None),
            'P' => (FrameKind.Pong, 0, FrameFlags.None),
            'Q' => (FrameKind.Request, 1, FrameFlags.Quiet),
            'T' => (FrameKind.Request, 2, FrameFlags.None),
            'S' => (FrameKind.Request, FrameHead.UntilEnd, FrameFlags.None),
            'I' => (FrameKind.Request, 1, FrameFlags.Idempotent),
            'W' => (FrameKind.Request, 0, FrameFlags.OneWay),
            _ => (FrameKind.Request, 1, FrameFlags.None),
        };
    }
}

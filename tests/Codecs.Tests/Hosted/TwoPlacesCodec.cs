using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>
/// Frames as Kafka has them: a request is length, key, version, id at 8 and body; an answer length, id at 4 and body. Requests with key 3 may be repeated.
/// </summary>
internal struct TwoPlacesCodec : IXRpcCodec<TwoPlacesCodec>
{
    private const int MostHead = 12;
    private const int Repeatable = 3;

    private readonly Side _from;
    private readonly long _maxFrame;
    private Kept _kept;
    private long _taken;
    private bool _headTold;
    private bool _isBad;

    private TwoPlacesCodec(Side from, CodecLimits limits) => (_from, _maxFrame) = (from, limits.MaxFrame);

    public static CodecTraits Traits { get; } = new("two-places", FrameOrder.Multiplexed, Side.Downstream)
    {
        Id = new FixedId(8, 4),
        ReplyId = new FixedId(4, 4),
        IdBits = 31,
        MaxHead = MostHead,
    };

    private readonly int HeadLength => _from == Side.Downstream ? MostHead : 8;

    private readonly long FrameLength => 4L + BinaryPrimitives.ReadInt32BigEndian(_kept);

    public static TwoPlacesCodec Start(Side from, CodecLimits limits) => new(from, limits);

    public static string Describe(int fault) => fault == 1 ? "a length that no frame has" : "no fault";

    /// <summary>There is no mark to go by but a length that is not absurd and a small key.</summary>
    public static Detection Detect(ReadOnlySpan<byte> first) => first switch
    {
        [not 0, ..] or [_, _, _, _, not 0, ..] => Detection.No,
        _ => first.Length < 5 ? Detection.More : Detection.Yes,
    };

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        if (request.Kind != FrameKind.Request)
        {
            return false;
        }

        byte[] words = Encoding.UTF8.GetBytes(reply.Message ?? $"proxy: {reply.Reason}");
        Span<byte> head = output.GetSpan(8);
        BinaryPrimitives.WriteInt32BigEndian(head, 4 + words.Length);
        BinaryPrimitives.WriteUInt32BigEndian(head[4..], (uint)request.Id);
        output.Advance(8);
        output.Write(words);
        return true;
    }

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        if (_taken == 0 && !_isBad)
        {
            (head, _headTold) = (default, false);
        }

        while (!_isBad && _taken < HeadLength && consumed < input.Length)
        {
            _kept[(int)_taken++] = input[consumed++];
            _isBad = _taken == 4 && (FrameLength < HeadLength || FrameLength > _maxFrame);
        }

        head.Length = _taken;
        if (_isBad || _taken < HeadLength)
        {
            head.Fault = _isBad ? 1 : 0;
            return _isBad ? ScanStatus.Bad : ScanStatus.More;
        }

        Fill(ref head);
        int rest = (int)Math.Min(FrameLength - _taken, input.Length - consumed);
        consumed += rest;
        head.Length = _taken += rest;
        if (_taken == FrameLength)
        {
            _taken = 0;
            return ScanStatus.Done;
        }

        (bool told, _headTold) = (_headTold, true);
        return told ? ScanStatus.More : ScanStatus.Head;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        value = default;
        return false;
    }

    /// <summary>An id has its place; nothing else can be changed.</summary>
    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output) => false;

    private readonly void Fill(ref FrameHead head)
    {
        bool asks = _from == Side.Downstream;
        (head.Kind, head.Replies, head.HeadLength) = asks ? (FrameKind.Request, 1, MostHead) : (FrameKind.Response, 0, 8);
        head.Id = BinaryPrimitives.ReadUInt32BigEndian(_kept[(asks ? 8 : 4)..]);
        head.Flags = asks && _kept[5] == Repeatable ? FrameFlags.Idempotent : FrameFlags.None;
    }

    [InlineArray(MostHead)]
    private struct Kept
    {
        private byte _first;
    }
}

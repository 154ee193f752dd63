using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests.Hosted;

/// <summary>
/// Framed Thrift, strict binary: length, version and type, the method's name behind its length, sequence number, arguments. Every answer, an error too, has
/// the name and number of its call, so the proxy's own are made of the request's first bytes. Methods that begin with <c>get</c> may be repeated.
/// </summary>
internal struct ThriftCodec<TOrder> : IXRpcCodec<ThriftCodec<TOrder>>
    where TOrder : struct, IThriftOrder
{
    private const int NameAt = 12;
    private const int MostHead = CodecTraits.MostReplySeedBytes;
    private const int MostName = MostHead - NameAt - 4;
    private const int SequenceAt = 16;

    private readonly Side _from;
    private readonly long _maxFrame;
    private Kept _kept;
    private long _taken;
    private bool _headTold;
    private int _fault;

    private ThriftCodec(Side from, CodecLimits limits) => (_from, _maxFrame) = (from, limits.MaxFrame);

    private enum Kind : byte
    {
        Call = 1,
        Reply,
        Exception,
        OneWay,
    }

    public static CodecTraits Traits { get; } = new(TOrder.Name, TOrder.Value, Side.Downstream)
    {
        IdBits = 31,
        MaxHead = MostHead,
        ReplySeedBytes = MostHead,
        Meta = [new MetaKey("method", MetaTier.Prefix)],
    };

    private readonly long FrameLength => 4L + BinaryPrimitives.ReadInt32BigEndian(_kept);

    private readonly int NameLength => BinaryPrimitives.ReadInt32BigEndian(_kept[8..NameAt]);

    private readonly int HeadLength => NameAt + NameLength + 4;

    public static ThriftCodec<TOrder> Start(Side from, CodecLimits limits) => new(from, limits);

    public static string Describe(int fault) => fault switch
    {
        1 => "a length that no frame has",
        2 => "neither the strict protocol nor a kind of message that this side sends",
        3 => "a name that does not fit",
        _ => "no fault",
    };

    public static Detection Detect(ReadOnlySpan<byte> first)
    {
        ReadOnlySpan<byte> version = [0x80, 1, 0];
        ReadOnlySpan<byte> there = first.Length > 4 ? first[4..Math.Min(first.Length, 7)] : default;
        return (first is [not 0, ..]) || !version.StartsWith(there) ? Detection.No : there.Length == 3 ? Detection.Yes : Detection.More;
    }

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        ReadOnlySpan<byte> call = reply.RequestBytes;
        int name = call.Length < NameAt ? -1 : BinaryPrimitives.ReadInt32BigEndian(call[8..]);
        if ((request.Flags & FrameFlags.OneWay) != 0 || name is < 0 or > MostName || call.Length < NameAt + name + 4)
        {
            return false;
        }

        // A TApplicationException: field 1 is its message, field 2 its type, 6 for an internal error.
        byte[] message = Encoding.UTF8.GetBytes(reply.Message ?? $"proxy: {reply.Reason}");
        ReadOnlySpan<byte> type = [8, 0, 2, 0, 0, 0, 6, 0];
        Write(output, 8 + name + 4 + 7 + message.Length + type.Length);
        output.Write((ReadOnlySpan<byte>)[0x80, 1, 0, (byte)Kind.Exception]);
        output.Write(call[8..(NameAt + name + 4)]);
        output.Write((ReadOnlySpan<byte>)[11, 0, 1]);
        Write(output, message.Length);
        output.Write(message);
        output.Write(type);
        return true;
    }

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output) => false;

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        if (_taken == 0 && _fault == 0)
        {
            head = default;
            _headTold = false;
        }

        while (_fault == 0 && (_taken < NameAt || _taken < HeadLength) && consumed < input.Length)
        {
            Take(input[consumed++]);
        }

        head.Length = _taken;
        if (_fault != 0)
        {
            head.Fault = _fault;
            return ScanStatus.Bad;
        }

        if (_taken < NameAt || _taken < HeadLength)
        {
            return ScanStatus.More;
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
        value = meta == 0 && frame.Bytes.Length >= HeadLength ? frame.Bytes.Slice(NameAt, NameLength) : default;
        return !value.IsEmpty;
    }

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output)
    {
        if (edit.RemoveKeyBytes != 0 || edit.Metadata is { Count: > 0 } || frame.Bytes.Length < HeadLength)
        {
            return false;
        }

        output.Write(frame.Bytes[..(HeadLength - 4)]);
        Write(output, edit.Id is { } id ? (int)id : BinaryPrimitives.ReadInt32BigEndian(frame.Bytes[(HeadLength - 4)..]));
        output.Write(frame.Bytes[HeadLength..]);
        return true;
    }

    private static void Write(IBufferWriter<byte> output, int number)
    {
        BinaryPrimitives.WriteInt32BigEndian(output.GetSpan(4), number);
        output.Advance(4);
    }

    private void Take(byte next)
    {
        if (_taken < SequenceAt - 1)
        {
            _kept[(int)_taken] = next;
        }

        if (_taken >= NameAt && _taken >= HeadLength - 4)
        {
            _kept[SequenceAt + (int)(_taken - HeadLength + 4)] = next;
        }

        _taken++;
        if (_taken == 4 && (FrameLength < NameAt + 4 || FrameLength > _maxFrame))
        {
            _fault = 1;
        }
        else if (_taken == 8 && (_kept[4] != 0x80 || _kept[5] != 1 || _kept[6] != 0 || !Sends((Kind)_kept[7])))
        {
            _fault = 2;
        }
        else if (_taken == NameAt && (NameLength is < 0 or > MostName || HeadLength > FrameLength))
        {
            _fault = 3;
        }
    }

    private readonly bool Sends(Kind kind) =>
        _from == Side.Downstream ? kind is Kind.Call or Kind.OneWay : kind is Kind.Reply or Kind.Exception;

    private readonly void Fill(ref FrameHead head)
    {
        head.HeadLength = HeadLength;
        head.Id = TOrder.Value == FrameOrder.Multiplexed ? BinaryPrimitives.ReadUInt32BigEndian(_kept[SequenceAt..]) : 0;
        (head.Kind, head.Replies, head.Flags) = (Kind)_kept[7] switch
        {
            Kind.Call => (FrameKind.Request, 1, FrameFlags.None),
            Kind.OneWay => (FrameKind.Request, 0, FrameFlags.OneWay),
            Kind.Reply => (FrameKind.Response, 0, FrameFlags.None),
            _ => (FrameKind.ErrorResponse, 0, FrameFlags.None),
        };
        head.Flags |= NameLength >= 3 && _kept[NameAt..(NameAt + 3)].SequenceEqual("get"u8) ? FrameFlags.Idempotent : FrameFlags.None;
    }

    /// <summary>A frame's first bytes up to three of the name, and behind them its sequence number.</summary>
    [InlineArray(SequenceAt + 4)]
    private struct Kept
    {
        private byte _first;
    }
}

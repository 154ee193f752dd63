using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using MeshL4.XRpc.Contracts;

namespace MeshL4.Codecs.Tests;

/// <summary>
/// A protocol of which everything is right and nothing is as in the sample's: lengths of 24 bits, signs of life and pushes without an id, clients that have a call 0,
/// a key that may be empty and that is signed, so that no prefix comes off, and a server that answers in streams only.
/// </summary>
internal struct BriefCodec : IXRpcCodec<BriefCodec>
{
    /// <summary>Length of what follows (3 bytes) and <see cref="Kind"/>; the rest only where a frame belongs to a call.</summary>
    private const int Fixed = 4;
    private const int IdAt = 4;
    private const int KeyLengthAt = 8;
    private const int Paired = 9;
    private const byte NoKey = 0xff;

    private readonly Side _from;
    private readonly long _most;
    private BriefHead _head;
    private long _taken;
    private bool _told;
    private int _fault;

    private BriefCodec(Side from, CodecLimits limits) => (_from, _most) = (from, limits.MaxFrame);

    /// <summary>The fourth byte of a frame; from Call to Error they belong to a call.</summary>
    public enum Kind : byte
    {
        Call = 1,
        Item,
        End,
        Error,
        Ping,
        Pong,
        GoAway,
        Push,
    }

    public static CodecTraits Traits { get; } = new("brief", FrameOrder.Multiplexed, Side.Downstream)
    {
        Id = new FixedId(IdAt, 4),
        IdBits = 32,
        Heartbeats = Heartbeats.FromClient | Heartbeats.FromServer,
        MaxHead = Paired + NoKey,
        Meta = [new MetaKey("key", MetaTier.Prefix)],
        KeyMeta = 0,
    };

    private readonly long Length => 3 + (_head[0] << 16) + BinaryPrimitives.ReadUInt16BigEndian(((ReadOnlySpan<byte>)_head)[1..]);

    private readonly bool IsPaired => _head[3] <= (byte)Kind.Error;

    private readonly int HeadLength => !IsPaired ? Fixed : Paired + (_head[KeyLengthAt] == NoKey ? 0 : _head[KeyLengthAt]);

    public static BriefCodec Start(Side from, CodecLimits limits) => new(from, limits);

    public static Detection Detect(ReadOnlySpan<byte> first) => first switch
    {
        { Length: < Fixed } => Detection.More,
        [_, _, _, (byte)Kind.Call or (byte)Kind.Ping or (byte)Kind.Pong, ..] => Detection.Yes,
        _ => Detection.No,
    };

    public static string Describe(int fault) => fault switch { 1 => "no such kind", 2 => "too long", 3 => "too short", _ => "no fault" };

    public static byte[] Bytes(Kind kind, uint id, string? key, string body)
    {
        byte[] head = new byte[kind <= Kind.Error ? Paired : Fixed];
        head[3] = (byte)kind;
        if (kind <= Kind.Error)
        {
            BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(IdAt), id);
            head[KeyLengthAt] = key is null ? NoKey : (byte)key.Length;
        }

        byte[] frame = [.. head, .. System.Text.Encoding.UTF8.GetBytes(key + body)];
        (frame[0], frame[1], frame[2]) = ((byte)((frame.Length - 3) >> 16), (byte)((frame.Length - 3) >> 8), (byte)(frame.Length - 3));
        return frame;
    }

    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        output.Write(Bytes(Kind.Error, (uint)request.Id, null, reply.Message ?? "no"));
        return true;
    }

    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output)
    {
        if (control == ControlFrame.GoAway && from == Side.Downstream)
        {
            return false;
        }

        output.Write(Bytes(control switch { ControlFrame.Ping => Kind.Ping, ControlFrame.Pong => Kind.Pong, _ => Kind.GoAway }, 0, null, ""));
        return true;
    }

    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        consumed = 0;
        (head, _told) = _taken == 0 ? (default, false) : (head, _told);
        while (_fault == 0 && consumed < input.Length && _taken < (_taken < Fixed ? Fixed : IsPaired ? Paired : Fixed))
        {
            _head[(int)_taken++] = input[consumed++];
            _fault = _taken == Fixed ? Check() : 0;
            if (_taken == Paired && HeadLength > Length)
            {
                _fault = 3;
            }
        }

        if (_fault != 0)
        {
            head.Fault = _fault;
            return ScanStatus.Bad;
        }

        if (_taken >= Fixed && _taken >= (IsPaired ? Paired : Fixed))
        {
            int count = (int)Math.Min(Length - _taken, input.Length - consumed);
            (consumed, _taken) = (consumed + count, _taken + count);
            Fill(ref head);
        }

        head.Length = _taken;
        if (_taken >= Fixed && _taken == Length)
        {
            _taken = 0;
            return ScanStatus.Done;
        }

        bool tells = !_told && head.Kind != FrameKind.None && _taken >= head.HeadLength;
        _told |= tells;
        return tells ? ScanStatus.Head : ScanStatus.More;
    }

    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        bool has = meta == 0 && _from == Side.Downstream && IsPaired && frame.Head.HeadLength > 0 && frame.Bytes.Length >= HeadLength && _head[KeyLengthAt] != NoKey;
        value = has ? frame.Bytes[Paired..HeadLength] : default;
        return has;
    }

    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output)
    {
        if (edit.RemoveKeyBytes != 0 || edit.Metadata is { Count: > 0 } || (edit.Id is not null && !IsPaired))
        {
            return false;
        }

        Span<byte> written = output.GetSpan(frame.Bytes.Length);
        frame.Bytes.CopyTo(written);
        if (edit.Id is { } id)
        {
            BinaryPrimitives.WriteUInt32BigEndian(written[IdAt..], (uint)id);
        }

        output.Advance(frame.Bytes.Length);
        return true;
    }

    private readonly int Check()
    {
        var kind = (Kind)_head[3];
        bool isSent = kind is Kind.Ping or Kind.Pong || (_from == Side.Downstream ? kind == Kind.Call : kind is > Kind.Call and <= Kind.Push);
        return !isSent ? 1 : Length > _most ? 2 : Length < (IsPaired ? Paired : Fixed) ? 3 : 0;
    }

    private readonly void Fill(ref FrameHead head)
    {
        head.Id = IsPaired ? BinaryPrimitives.ReadUInt32BigEndian(((ReadOnlySpan<byte>)_head)[IdAt..]) : 0;
        head.HeadLength = HeadLength;
        (head.Kind, head.Replies) = (Kind)_head[3] switch
        {
            Kind.Call => (FrameKind.Request, FrameHead.UntilEnd),
            Kind.Item => (FrameKind.StreamData, 0),
            Kind.End => (FrameKind.StreamEnd, 0),
            Kind.Error => (FrameKind.ErrorResponse, 0),
            Kind.Ping => (FrameKind.Ping, 0),
            Kind.Pong => (FrameKind.Pong, 0),
            Kind.GoAway => (FrameKind.GoAway, 0),
            _ => (FrameKind.Push, 0),
        };
    }

    [InlineArray(Paired)]
    private struct BriefHead
    {
        private byte _first;
    }
}

using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// Finds the end and the kind of RESP replies (version 2 and 3), taking every byte once, in pieces of any size.
/// Nesting is one counter of elements that are still to come: a Lua script may answer thousands of arrays inside one another,
/// and they cost no recursion and no memory. Streamed types of RESP3 (<c>$?</c>, <c>*?</c>) are refused: no server sends them,
/// and their end marks would need a stack.
/// </summary>
public partial struct RespReplyScanner
{
    // Far over what fits in memory, far under what overflows.
    private const long MaxOutstanding = 1L << 60;

    private readonly RespLimitsOptions _limits;
    private long _outstanding;
    private State _state;
    private byte _type;
    private RespNumber _number;
    private long _remaining;

    /// <summary>A scanner at the first byte of a connection.</summary>
    /// <param name="limits">Bounds on what the server may declare.</param>
    public RespReplyScanner(RespLimitsOptions limits) => _limits = limits;

    private enum State : byte { Start, Type, Line, LineLf, Size, SizeLf, Body, BodyCr, BodyLf, Spent }

    /// <summary>Whether the next byte begins a reply.</summary>
    public readonly bool AtFrameStart => _state == State.Start;

    /// <summary>Takes bytes of the current reply; see <see cref="IXRpcCodec{TSelf}.Scan"/>.</summary>
    /// <param name="input">Bytes behind those taken before.</param>
    /// <param name="head">The current reply; begun anew at its first byte.</param>
    /// <param name="consumed">Bytes taken.</param>
    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        if (_state == State.Start)
        {
            if (TryScanWhole(input, ref head, out consumed))
            {
                return ScanStatus.Done;
            }

            head = default;
        }

        return ScanPieces(input, ref head, out consumed);
    }

    private ScanStatus ScanPieces(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        int at = 0;
        ScanStatus status = ScanStatus.More;
        while (at < input.Length && status == ScanStatus.More)
        {
            status = _state switch
            {
                State.Body => TakeBody(input, ref at),
                State.Line => TakeLine(input, ref at),
                _ => TakeByte(input[at++], ref head),
            };
        }

        head.Length += at;
        consumed = at;
        return status;
    }

    private ScanStatus TakeByte(byte value, ref FrameHead head) => _state switch
    {
        State.Start => TakeFirst(value, ref head),
        State.Type => TakeType(value, ref head),
        State.LineLf => value == '\n' ? EndElement() : Fail(RespFault.LineEnd, ref head),
        State.Size => TakeSize(value, ref head),
        State.SizeLf => value == '\n' ? EndSize(ref head) : Fail(RespFault.LineEnd, ref head),
        State.BodyCr => value == '\r' ? Next(State.BodyLf) : Fail(RespFault.LineEnd, ref head),
        State.BodyLf => value == '\n' ? EndElement() : Fail(RespFault.LineEnd, ref head),
        _ => Fail((RespFault)head.Fault, ref head),
    };

    private ScanStatus TakeFirst(byte value, ref FrameHead head)
    {
        _outstanding = 1;
        return TakeType(value, ref head);
    }

    private ScanStatus TakeType(byte value, ref FrameHead head)
    {
        // The reply is what its first byte says, unless that announces attributes: they come before the reply.
        if (head.Kind == FrameKind.None && _outstanding == 1 && value != '|')
        {
            head.Kind = KindOf(value);
        }

        _type = value;
        _number = default;
        return value switch
        {
            (byte)'+' or (byte)'-' or (byte)':' or (byte)'_' or (byte)'#' or (byte)',' or (byte)'(' => Next(State.Line),
            (byte)'$' or (byte)'!' or (byte)'=' => Next(State.Size),
            (byte)'*' or (byte)'%' or (byte)'~' or (byte)'>' or (byte)'|' => Next(State.Size),
            _ => Fail(RespFault.UnknownType, ref head),
        };
    }

    private static FrameKind KindOf(byte type) => type switch
    {
        (byte)'-' or (byte)'!' => FrameKind.ErrorResponse,
        (byte)'>' => FrameKind.Push,
        _ => FrameKind.Response,
    };

    private ScanStatus TakeLine(ReadOnlySpan<byte> input, ref int at)
    {
        int end = input[at..].IndexOf((byte)'\r');
        at = end < 0 ? input.Length : at + end + 1;
        return end < 0 ? ScanStatus.More : Next(State.LineLf);
    }

    private ScanStatus TakeSize(byte value, ref FrameHead head)
    {
        if (value == '\r' && _number.IsValid)
        {
            return Next(State.SizeLf);
        }

        return value != '\r' && _number.TryAppend(value)
            ? ScanStatus.More
            : Fail(value == '?' ? RespFault.Streamed : IsAggregate ? RespFault.AggregateLength : RespFault.BulkLength, ref head);
    }

    private readonly bool IsAggregate => _type is not ((byte)'$' or (byte)'!' or (byte)'=');

    private ScanStatus EndSize(ref FrameHead head)
    {
        long size = _number.Value;
        if (size == -1 && (_type is (byte)'$' or (byte)'*'))
        {
            return EndElement();
        }

        if (IsAggregate)
        {
            return size >= 0 && size <= _limits.MaxReplyElements && _outstanding < MaxOutstanding
                ? Open(size)
                : Fail(RespFault.AggregateLength, ref head);
        }

        if (size < 0 || size > _limits.MaxBulkBytes)
        {
            return Fail(RespFault.BulkLength, ref head);
        }

        _remaining = size;
        return Next(size == 0 ? State.BodyCr : State.Body);
    }

    private ScanStatus Open(long size)
    {
        // An attribute stands beside the element it belongs to, so it does not count as that element.
        if (_type == '|')
        {
            _outstanding += size * 2;
            return Next(State.Type);
        }

        _outstanding += _type == '%' ? size * 2 : size;
        return EndElement();
    }

    private ScanStatus TakeBody(ReadOnlySpan<byte> input, ref int at)
    {
        int take = (int)Math.Min(_remaining, input.Length - at);
        at += take;
        _remaining -= take;
        return _remaining == 0 ? Next(State.BodyCr) : ScanStatus.More;
    }

    private ScanStatus EndElement()
    {
        bool last = --_outstanding == 0;
        _state = last ? State.Start : State.Type;
        return last ? ScanStatus.Done : ScanStatus.More;
    }

    private ScanStatus Next(State state)
    {
        _state = state;
        return ScanStatus.More;
    }

    private ScanStatus Fail(RespFault fault, ref FrameHead head)
    {
        _state = State.Spent;
        head.Fault = (int)fault;
        return ScanStatus.Bad;
    }
}

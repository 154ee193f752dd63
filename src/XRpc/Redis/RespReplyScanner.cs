using System.Runtime.CompilerServices;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// Finds the end and the kind of RESP replies (version 2, and version 3 by structure), taking every byte once, in pieces of
/// any size. Nesting is a fixed stack of counters: no recursion and no memory that grows with the input.
/// Streamed types of RESP3 (<c>$?</c>) are refused: no server sends them.
/// </summary>
public struct RespReplyScanner
{
    /// <summary>Aggregates inside one another; deeper replies are refused.</summary>
    public const int MaxDepth = 32;

    private readonly RespLimitsOptions _limits;
    private Stack _open;
    private int _depth;
    private State _state;
    private byte _type;
    private RespNumber _number;
    private long _remaining;

    /// <summary>A scanner at the first byte of a connection.</summary>
    /// <param name="limits">Bounds on what the server may declare.</param>
    public RespReplyScanner(RespLimitsOptions limits) => _limits = limits;

    private enum State : byte { Start, Type, Line, LineLf, Size, SizeLf, Body, BodyCr, BodyLf, Spent }

    /// <summary>Takes bytes of the current reply; see <see cref="IXRpcCodec{TSelf}.Scan"/>.</summary>
    /// <param name="input">Bytes behind those taken before.</param>
    /// <param name="head">The current reply; begun anew at its first byte.</param>
    /// <param name="consumed">Bytes taken.</param>
    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        if (_state == State.Start)
        {
            head = default;
        }

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
        _depth = 0;
        _open[0] = 1;
        return TakeType(value, ref head);
    }

    private ScanStatus TakeType(byte value, ref FrameHead head)
    {
        // The reply is what its first byte says, unless that announces attributes: they come before the reply.
        if (_depth == 0 && value != '|')
        {
            head.Kind = value switch
            {
                (byte)'-' or (byte)'!' => FrameKind.ErrorResponse,
                (byte)'>' => FrameKind.Push,
                _ => FrameKind.Response,
            };
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
            : Fail(IsAggregate ? RespFault.AggregateLength : RespFault.BulkLength, ref head);
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
            return size >= 0 && size <= _limits.MaxReplyElements ? Open(size, ref head) : Fail(RespFault.AggregateLength, ref head);
        }

        if (size < 0 || size > _limits.MaxBulkBytes)
        {
            return Fail(RespFault.BulkLength, ref head);
        }

        _remaining = size;
        return Next(size == 0 ? State.BodyCr : State.Body);
    }

    private ScanStatus Open(long size, ref FrameHead head)
    {
        // An attribute stands beside the element it belongs to, so its end must not count as that element.
        if (_type == '|')
        {
            _open[_depth]++;
        }

        long elements = _type is (byte)'%' or (byte)'|' ? size * 2 : size;
        if (elements == 0)
        {
            return EndElement();
        }

        if (_depth == MaxDepth)
        {
            return Fail(RespFault.TooDeep, ref head);
        }

        _open[++_depth] = elements;
        return Next(State.Type);
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
        while (--_open[_depth] == 0)
        {
            if (_depth == 0)
            {
                _state = State.Start;
                return ScanStatus.Done;
            }

            _depth--;
        }

        return Next(State.Type);
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

    [InlineArray(MaxDepth + 1)]
    private struct Stack
    {
        private long _first;
    }
}

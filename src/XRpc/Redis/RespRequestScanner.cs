using System.Runtime.CompilerServices;
using System.Text;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// Finds the end, the command and the first key of RESP requests: arrays of bulk strings and inline lines, as read by
/// redis-server 7 (https://redis.io/docs/latest/develop/reference/protocol-spec/). Takes every byte once, in pieces of any size.
/// </summary>
public partial struct RespRequestScanner
{
    private readonly RespLimitsOptions _limits;
    private State _state;
    private RespNumber _number;
    private NameBuffer _name;
    private int _nameLength;
    private Word _word;

    /// <summary>First digit of <c>\xHH</c> in a line's first word, as the client wrote it.</summary>
    private byte _hex;
    private int _argument;
    private int _expected;
    private long _remaining;

    /// <summary>A scanner at the first byte of a connection.</summary>
    /// <param name="limits">Bounds on what the client may declare.</param>
    public RespRequestScanner(RespLimitsOptions limits) => _limits = limits;

    private enum State : byte { Start, Count, CountLf, Bulk, Size, SizeLf, Body, BodyCr, BodyLf, Inline, Spent }

    /// <summary>Whether the next byte begins a frame.</summary>
    public readonly bool AtFrameStart => _state == State.Start;

    /// <summary>Takes bytes of the current command; see <see cref="IXRpcCodec{TSelf}.Scan"/>.</summary>
    /// <param name="input">Bytes behind those taken before.</param>
    /// <param name="head">The current command; begun anew at a frame's first byte.</param>
    /// <param name="consumed">Bytes taken.</param>
    public ScanStatus Scan(ReadOnlySpan<byte> input, ref RespRequestHead head, out int consumed)
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

    private ScanStatus ScanPieces(ReadOnlySpan<byte> input, ref RespRequestHead head, out int consumed)
    {
        long before = head.Length;
        int at = 0;
        ScanStatus status = ScanStatus.More;
        while (at < input.Length && status == ScanStatus.More)
        {
            status = _state switch
            {
                State.Body => TakeBody(input, ref at, ref head),
                State.Inline => TakeInline(input, ref at, ref head, before),
                _ => TakeByte(input[at++], ref head, before + at),
            };
        }

        head.Length = before + at;
        consumed = at;
        return status;
    }

    private ScanStatus TakeByte(byte value, ref RespRequestHead head, long end) => _state switch
    {
        State.Start => TakeStart(value, ref head),
        State.Count => TakeNumber(value, State.CountLf, RespFault.MultibulkLength, ref head),
        State.CountLf => value == '\n' ? BeginArguments(ref head) : Fail(RespFault.LineEnd, ref head),
        State.Bulk => TakeBulk(value, ref head, end),
        State.Size => TakeNumber(value, State.SizeLf, RespFault.BulkLength, ref head),
        State.SizeLf => value == '\n' ? BeginBody(ref head, end) : Fail(RespFault.LineEnd, ref head),
        State.BodyCr => value == '\r' ? Next(State.BodyLf) : Fail(RespFault.LineEnd, ref head),
        State.BodyLf => value == '\n' ? EndArgument(ref head) : Fail(RespFault.LineEnd, ref head),
        _ => Fail(head.Fault, ref head),
    };

    private ScanStatus TakeStart(byte value, ref RespRequestHead head)
    {
        _nameLength = 0;
        _number = default;
        if (value == '*')
        {
            return Next(State.Count);
        }

        head.IsInline = true;
        _state = State.Inline;
        _word = Word.Before;
        CaptureFirstWord(new ReadOnlySpan<byte>(in value));
        return value == '\n' ? EndInline(ref head) : ScanStatus.More;
    }

    private ScanStatus TakeNumber(byte value, State then, RespFault fault, ref RespRequestHead head)
    {
        if (value == '\r')
        {
            return _number.IsValid ? Next(then) : Fail(fault, ref head);
        }

        return _number.TryAppend(value) ? ScanStatus.More : Fail(fault, ref head);
    }

    private ScanStatus BeginArguments(ref RespRequestHead head)
    {
        long count = _number.Value;
        if (count > _limits.MaxArguments)
        {
            return Fail(RespFault.MultibulkLength, ref head);
        }

        _argument = 0;
        _expected = (int)Math.Max(count, 0);
        head.ArgumentCount = _expected;
        _state = count > 0 ? State.Bulk : State.Start;
        return count > 0 ? ScanStatus.More : ScanStatus.Done;
    }

    private ScanStatus TakeBulk(byte value, ref RespRequestHead head, long end)
    {
        if (value != '$')
        {
            return Fail(RespFault.ExpectedBulk, ref head);
        }

        if (_argument > 0 && _argument == RedisCommandTable.FirstKey(head.Command))
        {
            head.KeyHeaderOffset = end - 1;
        }

        _number = default;
        return Next(State.Size);
    }

    private ScanStatus BeginBody(ref RespRequestHead head, long end)
    {
        _remaining = _number.Value;
        if (_remaining < 0 || _remaining > _limits.MaxBulkBytes)
        {
            return Fail(RespFault.BulkLength, ref head);
        }

        if (_argument == 0)
        {
            head.NameEnd = end + _remaining;
        }

        if (head.KeyHeaderOffset != 0 && head.KeyOffset == 0)
        {
            head.KeyOffset = end;
            head.KeyLength = _remaining;
        }

        return EndBodyIfWhole(ref head);
    }

    private ScanStatus TakeBody(ReadOnlySpan<byte> input, ref int at, ref RespRequestHead head)
    {
        int take = (int)Math.Min(_remaining, input.Length - at);
        if (_argument == 0)
        {
            CaptureName(input.Slice(at, take));
        }

        at += take;
        _remaining -= take;
        return EndBodyIfWhole(ref head);
    }

    private ScanStatus EndBodyIfWhole(ref RespRequestHead head)
    {
        if (_remaining > 0)
        {
            return Next(State.Body);
        }

        if (_argument == 0)
        {
            SetCommand(ref head);
        }

        return Next(State.BodyCr);
    }

    private ScanStatus EndArgument(ref RespRequestHead head)
    {
        if (_argument == 0 && IsHttp(head.Command))
        {
            return Fail(RespFault.Http, ref head);
        }

        bool last = ++_argument == _expected;
        _state = last ? State.Start : State.Bulk;
        return last ? ScanStatus.Done : ScanStatus.More;
    }

    private void CaptureName(ReadOnlySpan<byte> part)
    {
        Span<byte> room = ((Span<byte>)_name)[Math.Min(_nameLength, NameBuffer.Size)..];
        part[..Math.Min(part.Length, room.Length)].CopyTo(room);
        _nameLength = (int)Math.Min(NameBuffer.Size + 1L, (long)_nameLength + part.Length);
    }

    private void SetCommand(ref RespRequestHead head)
    {
        head.HasCommand = true;
        head.Command = _nameLength > NameBuffer.Size
            ? RedisCommandId.Other
            : RedisCommandTable.Find(((ReadOnlySpan<byte>)_name)[.._nameLength]);
    }

    /// <summary>Whether a server would end the connection for this word, which others use too: it takes it for a browser's that was made to call it.</summary>
    private readonly bool IsHttp(RedisCommandId command) =>
        command == RedisCommandId.Other && _nameLength is 4 or 5
        && (Ascii.EqualsIgnoreCase(((ReadOnlySpan<byte>)_name)[.._nameLength], "POST"u8) || Ascii.EqualsIgnoreCase(((ReadOnlySpan<byte>)_name)[.._nameLength], "HOST:"u8));

    private ScanStatus Next(State state)
    {
        _state = state;
        return ScanStatus.More;
    }

    private ScanStatus Fail(RespFault fault, ref RespRequestHead head)
    {
        _state = State.Spent;
        head.Fault = fault;
        return ScanStatus.Bad;
    }

    [InlineArray(Size)]
    private struct NameBuffer
    {
        public const int Size = 40;
        private byte _first;
    }
}

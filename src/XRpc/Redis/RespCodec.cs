using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using MeshL4.XRpc.Contracts;

namespace MeshL4.XRpc.Redis;

/// <summary>Redis as the common contract sees it: requests and replies by structure, in order.</summary>
public struct RespCodec : IXRpcCodec<RespCodec>
{
    private readonly Side _from;
    private RespRequestScanner _requests;
    private RespRequestHead _request;
    private RespReplyScanner _replies;
    private bool _headTold;

    /// <summary>Number of the line scanned last: its key is looked for once, however many routes ask.</summary>
    private long _line;

    /// <summary>
    /// Replies pass as they come and take no memory for what they declare: their bound is one that no server has memory for, whatever its
    /// <c>proto-max-bulk-len</c> is.
    /// </summary>
    private static readonly RespLimitsOptions ReplyLimits = RespLimitsOptions.Default with { MaxBulkBytes = 1L << 40 };

    /// <summary>The bounds of the clients that came last: all of a listener have the same, and none of them allocates its own.</summary>
    private static volatile RespLimitsOptions s_requestLimits = RespLimitsOptions.Default;

    private RespCodec(Side from, CodecLimits limits)
    {
        long most = limits.MaxFrame == CodecLimits.Default.MaxFrame ? RespLimitsOptions.Default.MaxBulkBytes : limits.MaxFrame;
        RespLimitsOptions bounds = s_requestLimits;
        if (bounds.MaxBulkBytes != most)
        {
            s_requestLimits = bounds = RespLimitsOptions.Default with { MaxBulkBytes = most };
        }

        _from = from;
        _requests = new RespRequestScanner(bounds);
        _replies = new RespReplyScanner(ReplyLimits);
    }

    /// <inheritdoc/>
    public static CodecTraits Traits { get; } = new("redis", FrameOrder.Fifo, Side.Downstream)
    {
        Affinity = Affinity.PinOnDemand,
        Heartbeats = Heartbeats.FromClient,
        MaxHead = 64 * 1024,
        Meta = [new MetaKey("key", MetaTier.Prefix)],
        KeyMeta = 0,
        Methods = [.. Enumerable.Range(0, RedisCommandTable.Count).Select(static id => RedisCommandTable.Get((RedisCommandId)id).Name.ToLowerInvariant())],
    };

    /// <summary>The request scanned last: more than the common head says.</summary>
    [UnscopedRef]
    public readonly ref readonly RespRequestHead Request => ref _request;

    /// <inheritdoc/>
    public static RespCodec Start(Side from, CodecLimits limits) => new(from, limits);

    /// <inheritdoc/>
    public static string Describe(int fault) => RespFaults.Describe((RespFault)fault);

    /// <inheritdoc/>
    public static Detection Detect(ReadOnlySpan<byte> first)
    {
        // An array of bulk strings, or an inline command, which begins with a letter; both as redis-server takes them.
        if (first.IsEmpty)
        {
            return Detection.More;
        }

        if (first[0] != (byte)'*')
        {
            return char.IsAsciiLetter((char)first[0]) || first[0] is (byte)'\r' or (byte)'\n' ? RespInlineDetection.Detect(first) : Detection.No;
        }

        return first.Length < 2 ? Detection.More : char.IsAsciiDigit((char)first[1]) || first[1] == '-' ? Detection.Yes : Detection.No;
    }

    /// <inheritdoc/>
    public static bool WriteLocalReply(in FrameHead request, in LocalReply reply, IBufferWriter<byte> output)
    {
        RespLocalReply.Write(request, reply, output);
        return true;
    }

    /// <inheritdoc/>
    public static bool TryWriteControl(Side from, ControlFrame control, ulong id, IBufferWriter<byte> output)
    {
        if (from != Side.Downstream || control != ControlFrame.Ping)
        {
            return false;
        }

        output.Write("*1\r\n$4\r\nPING\r\n"u8);
        return true;
    }

    /// <inheritdoc/>
    public ScanStatus Scan(ReadOnlySpan<byte> input, ref FrameHead head, out int consumed)
    {
        if (_from == Side.Upstream)
        {
            ScanStatus reply = _replies.Scan(input, ref head, out consumed);
            bool tellsHead = reply == ScanStatus.More && !_headTold && head.Kind != FrameKind.None;
            _headTold = reply == ScanStatus.More && head.Kind != FrameKind.None;
            return tellsHead ? ScanStatus.Head : reply;
        }

        ScanStatus status = _requests.Scan(input, ref _request, out consumed);
        head.Kind = FrameKind.Request;
        head.Length = _request.Length;
        head.Method = (int)_request.Command;
        head.Replies = 1;
        if (status == ScanStatus.Done)
        {
            _headTold = false;
            _line = _request.IsInline ? RespInline.NextLine() : 0;
            head.Kind = _request.ArgumentCount == 0 && !_request.IsInline ? FrameKind.Empty : FrameKind.Request;
            head.HeadLength = HeadLength();
            return status;
        }

        head.Fault = (int)_request.Fault;
        if (status == ScanStatus.More && !_headTold && IsHeadKnown())
        {
            _headTold = true;
            head.HeadLength = HeadLength();
            return ScanStatus.Head;
        }

        return status;
    }

    /// <inheritdoc/>
    public readonly bool TryMeta(in FrameView frame, int meta, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (_request.IsInline)
        {
            return meta == 0 && frame.IsWhole && RespInline.TryFindKey(frame.Bytes, _request.Command, _line, out value);
        }

        long end = _request.KeyOffset + _request.KeyLength;
        if (meta != 0 || _request.KeyOffset <= 0 || end > frame.Bytes.Length)
        {
            return false;
        }

        value = frame.Bytes.Slice((int)_request.KeyOffset, (int)_request.KeyLength);
        return true;
    }

    /// <inheritdoc/>
    public readonly bool WriteEdited(in FrameView frame, in HeadEdit edit, IBufferWriter<byte> output)
    {
        long end = _request.KeyOffset + _request.KeyLength;
        if (edit.Id is not null || edit.Metadata is { Count: > 0 } || _request.KeyOffset <= 0 || edit.RemoveKeyBytes > _request.KeyLength
            || end > frame.Bytes.Length)
        {
            return false;
        }

        // A channel keeps its name: who listens knows it by that.
        int remove = (RedisCommandTable.Get(_request.Command).Flags & RedisCommandFlags.PubSub) != 0 ? 0 : edit.RemoveKeyBytes;
        output.Write(frame.Bytes[..(int)_request.KeyHeaderOffset]);
        RespWriter.WriteHeader(output, (byte)'$', _request.KeyLength - remove);
        output.Write(frame.Bytes[((int)_request.KeyOffset + remove)..]);
        return true;
    }

    /// <summary>Up to the end of the first key, else of the command's name; of a line all of it, as the end of a word is not kept.</summary>
    private readonly int HeadLength()
    {
        long end = _request.KeyOffset > 0 ? _request.KeyOffset + _request.KeyLength : _request.NameEnd > 0 ? _request.NameEnd : _request.Length;
        return (int)Math.Min(end, int.MaxValue);
    }

    private readonly bool IsHeadKnown()
    {
        if (!_request.HasCommand || _request.IsInline)
        {
            return false;
        }

        return RedisCommandTable.FirstKey(_request.Command) == 0
            || (_request.KeyOffset > 0 && _request.Length >= _request.KeyOffset + _request.KeyLength);
    }
}

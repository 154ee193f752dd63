using System.Buffers;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <content>Commands that are looked at whole: inline ones, those with several keys, and those that change the connection.</content>
internal sealed partial class RedisForward
{
    private ArrayBufferWriter<byte>? _inline;

    /// <summary>Upstream that has the connection since a push mode began; bytes are relayed as they come. -1 for none.</summary>
    private int _raw = -1;

    private static bool IsSpecial(RedisCommandId command) => command is
        RedisCommandId.Multi or RedisCommandId.Exec or RedisCommandId.Discard or RedisCommandId.Watch or RedisCommandId.Unwatch
        or RedisCommandId.Subscribe or RedisCommandId.Psubscribe or RedisCommandId.Ssubscribe or RedisCommandId.Monitor
        or RedisCommandId.Hello or RedisCommandId.Client or RedisCommandId.Sync or RedisCommandId.Psync
        or RedisCommandId.Quit or RedisCommandId.Select or RedisCommandId.Reset;

    private Step? HandleRaw(in ReadOnlySequence<byte> buffer)
    {
        _stats.Asked(_head.Command);
        _stats.RequestsEnded++;
        Forward(buffer, _raw, 0);
        return null;
    }

    private Step? HandleWhole(in ReadOnlySequence<byte> buffer)
    {
        CloseRun(buffer, _frameStart);
        ReadOnlySequence<byte> frame = buffer.Slice(_frameStart, _scanned - _frameStart);
        Step? stop;
        if (frame.IsSingleSegment)
        {
            stop = HandleFrame(frame.FirstSpan);
        }
        else
        {
            byte[] rented = ArrayPool<byte>.Shared.Rent((int)frame.Length);
            frame.CopyTo(rented);
            stop = HandleFrame(rented.AsSpan(0, (int)frame.Length));
            ArrayPool<byte>.Shared.Return(rented);
        }

        _runStart = stop is null ? _scanned : _runStart;
        return stop;
    }

    private Step? HandleInline(in ReadOnlySequence<byte> buffer)
    {
        _inline ??= new ArrayBufferWriter<byte>();
        _inline.ResetWrittenCount();
        ReadOnlySequence<byte> line = buffer.Slice(_frameStart, _scanned - _frameStart);
        if (!RespInline.TryConvert(line.IsSingleSegment ? line.FirstSpan : line.ToArray(), _inline))
        {
            return Refuse(buffer, RespFault.UnbalancedQuotes);
        }

        SkipFrame(buffer);
        if (_inline.WrittenCount == 0)
        {
            return null;
        }

        RespRequestHead asSent = _head;
        new RespRequestScanner(RespLimitsOptions.Default).Scan(_inline.WrittenSpan, ref _head, out _);
        Step? stop = HandleFrame(_inline.WrittenSpan);
        if (stop is not null)
        {
            // It will be handled again, from the line.
            _head = asSent;
            _runStart = _frameStart;
        }

        return stop;
    }

    private Step? HandleFrame(ReadOnlySpan<byte> frame)
    {
        using var arguments = new RespArguments(frame);
        if (BeginsRaw(arguments))
        {
            return EnterRaw(frame);
        }

        Step? stop = _routes.HasPrefixes ? HandleRouted(frame, arguments) : SendFrame(frame, arguments, _routes.CatchAll);
        if (stop is null && _head.Command == RedisCommandId.Quit)
        {
            _requestsDone = true;
        }

        return stop;
    }

    /// <summary>Whether a command makes the server send what answers no request, or stop answering.</summary>
    private bool BeginsRaw(in RespArguments arguments) => _head.Command switch
    {
        RedisCommandId.Subscribe or RedisCommandId.Psubscribe or RedisCommandId.Ssubscribe => true,
        RedisCommandId.Monitor or RedisCommandId.Sync or RedisCommandId.Psync => true,
        RedisCommandId.Hello => arguments.Count > 1 && !arguments[1].SequenceEqual("2"u8),
        RedisCommandId.Client => arguments.Count > 2
            && (System.Text.Ascii.EqualsIgnoreCase(arguments[1], "REPLY"u8) || System.Text.Ascii.EqualsIgnoreCase(arguments[1], "TRACKING"u8)),
        _ => false,
    };

    private Step? EnterRaw(ReadOnlySpan<byte> frame)
    {
        Step? stop = null;
        int upstream = _pinned >= 0 ? _pinned : UpstreamOf(_routes.CatchAll, out stop);
        if (upstream >= 0)
        {
            _raw = upstream;
            _stats.Asked(_head.Command);
            _stats.RequestsEnded++;
            WriteFrame(upstream, frame);
        }

        return stop;
    }

    private Step? SendFrame(ReadOnlySpan<byte> frame, in RespArguments arguments, RedisRoute route)
    {
        int upstream = UpstreamOf(route, out Step? stop);
        if (upstream >= 0)
        {
            SendTo(upstream, frame, arguments);
        }

        return stop;
    }

    private void SendTo(int upstream, ReadOnlySpan<byte> frame, in RespArguments arguments)
    {
        Expect(upstream);
        if (!_routes.HasPrefixes)
        {
            WriteFrame(upstream, frame);
            return;
        }

        int[] keys = ArrayPool<int>.Shared.Rent(arguments.Count);
        Span<int> found = keys.AsSpan(0, RedisKeys.Locate(RedisCommandTable.Get(_head.Command), arguments, keys.AsSpan(0, arguments.Count)));
        found.Sort();
        int written = 0;
        foreach (int index in found)
        {
            int remove = _routes.Find(arguments[index]).Remove;
            int header = arguments.HeaderOffset(index);
            if (remove > 0 && header >= written)
            {
                WriteFrame(upstream, frame[written..header]);
                RespWriter.WriteHeader(_upstreams[upstream].Output, (byte)'$', arguments[index].Length - remove);
                written = arguments.Offset(index) + remove;
            }
        }

        ArrayPool<int>.Shared.Return(keys);
        WriteFrame(upstream, frame[written..]);
    }

    private void WriteFrame(int upstream, ReadOnlySpan<byte> bytes)
    {
        _lastTarget = upstream;
        _upstreams[upstream].Output.Write(bytes);
        _upstreams[upstream].IsDirty = true;
    }
}

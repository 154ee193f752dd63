using System.Buffers;
using MeshL4.L4Proxy.Reporting;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <content>From the bytes of one read to runs of commands, each run one write to one upstream.</content>
internal sealed partial class RedisForward
{
    /// <summary>A command longer than this is forwarded while it arrives, as soon as it is known where to.</summary>
    private const int StreamThreshold = 32 * 1024;

    /// <summary>A command that must be seen whole before it can be routed has fewer bytes than this.</summary>
    private const int MaxBuffered = 1024 * 1024;

    private RespRequestScanner _scanner;
    private RespRequestHead _head;
    private bool _frameDone;

    // Offsets into the buffer of the current read.
    private long _scanned;
    private long _frameStart;
    private long _runStart;
    private int _runUpstream = -1;

    /// <summary>Upstream that takes the rest of a command that is being forwarded while it arrives; -1 for none.</summary>
    private int _streaming = -1;

    private enum Step { NeedData, NeedConnect, Full, Stop }

    private void BeginBatch()
    {
        _runStart = 0;
        _runUpstream = _streaming;
    }

    private SequencePosition EndBatch(in ReadOnlySequence<byte> buffer)
    {
        SequencePosition consumed = buffer.GetPosition(_frameStart);
        _record.BytesReceived += _frameStart;
        _scanned -= _frameStart;
        _frameStart = 0;
        return consumed;
    }

    private Step Process(in ReadOnlySequence<byte> buffer)
    {
        while (true)
        {
            if (!_frameDone)
            {
                ScanStatus status = ScanNext(buffer);
                if (status != ScanStatus.Done)
                {
                    return status == ScanStatus.Bad ? Refuse(buffer, _head.Fault) : EndOfBytes(buffer);
                }

                _frameDone = true;
            }

            Step? stop = _ring.IsFull ? Step.Full : Handle(buffer);
            if (stop is { } step)
            {
                CloseRun(buffer, _frameStart);
                return step;
            }

            EndFrame();
            if (_requestsDone)
            {
                CloseRun(buffer, _frameStart);
                return Step.Stop;
            }
        }
    }

    private void EndFrame()
    {
        _frameDone = false;
        _streaming = -1;
        _frameStart = _scanned;
    }

    private ScanStatus ScanNext(in ReadOnlySequence<byte> buffer)
    {
        if (buffer.IsSingleSegment)
        {
            ScanStatus status = _scanner.Scan(buffer.FirstSpan[(int)_scanned..], ref _head, out int consumed);
            _scanned += consumed;
            return status;
        }

        foreach (ReadOnlyMemory<byte> segment in buffer.Slice(_scanned))
        {
            ScanStatus status = _scanner.Scan(segment.Span, ref _head, out int consumed);
            _scanned += consumed;
            if (status != ScanStatus.More)
            {
                return status;
            }
        }

        return ScanStatus.More;
    }

    /// <summary>All bytes are scanned and the last command goes on: hold its bytes, or forward them and go on so.</summary>
    private Step EndOfBytes(in ReadOnlySequence<byte> buffer)
    {
        if (_streaming < 0 && _scanned - _frameStart > StreamThreshold && !_head.IsInline)
        {
            Step? stop = BeginStreaming(buffer);
            if (stop is { } step)
            {
                CloseRun(buffer, _frameStart);
                return step;
            }
        }

        if (_streaming >= 0)
        {
            CloseRun(buffer, _scanned);
            _frameStart = _scanned;
            return Step.NeedData;
        }

        CloseRun(buffer, _frameStart);
        return Step.NeedData;
    }

    private Step? BeginStreaming(in ReadOnlySequence<byte> buffer)
    {
        bool whole = IsSpecial(_head.Command) || _transaction != Transaction.None || _pinned >= 0;
        bool keySeen = _head.KeyOffset > 0 && _scanned - _frameStart >= _head.KeyOffset + _head.KeyLength;
        bool routable = !_routes.HasPrefixes || (RedisCommandTable.Get(_head.Command).IsSingleKey && keySeen);
        if (!_head.HasCommand || (_raw < 0 && (whole || !routable)))
        {
            // A pipe holds exactly this much: waiting for more would spin.
            return _scanned - _frameStart >= MaxBuffered ? RefuseTooBig() : null;
        }

        if (_ring.IsFull)
        {
            return Step.Full;
        }

        Step? stop = Handle(buffer);
        _streaming = stop is null ? _lastTarget : -1;
        if (stop is null && _lastTarget < 0)
        {
            // Answered here with an error: the rest of its bytes has nowhere to go.
            return Step.Stop;
        }

        return stop;
    }

    private Step RefuseTooBig()
    {
        AnswerLocally(_head.Command, $"-ERR MeshL4: {Name(_head.Command)} of {MaxBuffered} bytes or more cannot be routed by key\r\n");
        _record.Fail(ResponseFlags.DPE, EndedBy.Proxy, "redis_command_too_big_to_route");
        return Step.Stop;
    }

    private Step Refuse(in ReadOnlySequence<byte> buffer, RespFault fault)
    {
        CloseRun(buffer, _streaming >= 0 ? _scanned : _frameStart);
        _frameStart = _scanned;
        string reason = RespFaults.Describe(fault);
        if (_streaming < 0 && _raw < 0)
        {
            AnswerLocally(RedisCommandId.Other, $"-ERR Protocol error: {reason}\r\n");
        }

        _stats.ProtocolErrors++;
        _record.Fail(ResponseFlags.DPE, EndedBy.Proxy, "redis_protocol_error_" + reason.Replace(' ', '_').Replace("'", ""));
        return Step.Stop;
    }

    /// <summary>Adds the current frame to the run of an upstream; earlier bytes for another one are written first.</summary>
    private void Forward(in ReadOnlySequence<byte> buffer, int upstream, int removePrefix)
    {
        _lastTarget = upstream;
        if (removePrefix > 0)
        {
            CloseRun(buffer, _frameStart);
            WriteWithoutPrefix(buffer, _upstreams[upstream], removePrefix);
            _runStart = _scanned;
            _runUpstream = upstream;
            return;
        }

        if (_runUpstream != upstream)
        {
            CloseRun(buffer, _frameStart);
            _runUpstream = upstream;
        }
    }

    /// <summary>Writes what the run has before an offset, and begins the next run there.</summary>
    private void CloseRun(in ReadOnlySequence<byte> buffer, long end)
    {
        if (_runUpstream >= 0 && end > _runStart)
        {
            RedisUpstream upstream = _upstreams[_runUpstream];
            foreach (ReadOnlyMemory<byte> part in buffer.Slice(_runStart, end - _runStart))
            {
                upstream.Output.Write(part.Span);
            }

            upstream.IsDirty = true;
        }

        _runStart = end;
        _runUpstream = _streaming;
    }

    private void WriteWithoutPrefix(in ReadOnlySequence<byte> buffer, RedisUpstream upstream, int remove)
    {
        foreach (ReadOnlyMemory<byte> part in buffer.Slice(_frameStart, _head.KeyHeaderOffset))
        {
            upstream.Output.Write(part.Span);
        }

        RespWriter.WriteHeader(upstream.Output, (byte)'$', _head.KeyLength - remove);
        long rest = _frameStart + _head.KeyOffset + remove;
        foreach (ReadOnlyMemory<byte> part in buffer.Slice(rest, _scanned - rest))
        {
            upstream.Output.Write(part.Span);
        }

        upstream.IsDirty = true;
    }
}

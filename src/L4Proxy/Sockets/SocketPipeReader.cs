using System.Buffers;
using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>The receiving half of a <see cref="SocketPipe"/>. A block is rented only when the socket has something.</summary>
internal sealed unsafe class SocketPipeReader : PipeReader, IValueTaskSource<ReadResult>
{
    /// <summary>Bytes held for a consumer that examines but does not consume; it has to give up before that.</summary>
    private const long MostBuffered = 1024 * 1024;

    private readonly LoopSocket _socket;
    private ManualResetValueTaskSourceCore<ReadResult> _waiting;
    private BlockSegment? _first;
    private BlockSegment? _last;
    private BlockSegment? _spare;
    private int _firstOffset;
    private long _buffered;
    private long _examined;
    private int _nextBlock = LoopMemory.SmallBlock;
    private int _failure;
    private bool _ended;
    private bool _isWaiting;
    private bool _canceled;
    private bool _completed;

    public SocketPipeReader(LoopSocket socket) => _socket = socket;

    public ReadOnlySequence<byte> Buffered => _first is null
        ? ReadOnlySequence<byte>.Empty
        : new ReadOnlySequence<byte>(_first, _firstOffset, _last!, _last!.End);

    public override bool TryRead(out ReadResult result)
    {
        if (_completed)
        {
            throw new InvalidOperationException("Reading is not allowed after the reader was completed.");
        }

        while (_examined >= _buffered && !_ended && _failure == 0 && _socket.Readable && _buffered < MostBuffered)
        {
            Receive();
        }

        if (_buffered > _examined || _ended || _canceled || _failure != 0 || _buffered >= MostBuffered)
        {
            result = TakeResult();
            return true;
        }

        result = default;
        return false;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        if (TryRead(out ReadResult result))
        {
            return new ValueTask<ReadResult>(result);
        }

        _waiting.Reset();
        _isWaiting = true;
        return new ValueTask<ReadResult>(this, _waiting.Version);
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_first is null)
        {
            return;
        }

        long start = _first.RunningIndex + _firstOffset;
        long consumedTo = IndexOf(consumed);
        _examined = Math.Max(IndexOf(examined) - consumedTo, 0);
        _buffered -= consumedTo - start;
        while (_first is { } segment && segment.RunningIndex + segment.End <= consumedTo && (segment != _last || _buffered == 0))
        {
            _first = segment.NextSegment;
            _firstOffset = 0;
            Recycle(segment);
        }

        if (_first is null)
        {
            _last = null;
        }
        else
        {
            _firstOffset = (int)(consumedTo - _first.RunningIndex);
        }
    }

    public override void CancelPendingRead()
    {
        _canceled = true;
        Wake();
    }

    /// <summary>Ends reading. With an exception the connection is reset.</summary>
    public override void Complete(Exception? exception = null)
    {
        if (_completed)
        {
            return;
        }

        _completed = true;
        ReleaseBlocks();
        if (exception is not null)
        {
            SocketPipe.Reset(_socket);
        }
    }

    internal void OnReady()
    {
        if (_isWaiting)
        {
            Wake();
        }
    }

    /// <summary>Wakes a waiting reader with a reset and gives the blocks back.</summary>
    internal void Dispose()
    {
        _failure = _failure == 0 ? Errno.ECONNABORTED : _failure;
        bool wasWaiting = _isWaiting;
        _isWaiting = false;
        ReleaseBlocks();
        if (wasWaiting)
        {
            _waiting.SetException(new SocketResetException(_failure));
        }
    }

    ReadResult IValueTaskSource<ReadResult>.GetResult(short token) => _waiting.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<ReadResult>.GetStatus(short token) => _waiting.GetStatus(token);

    void IValueTaskSource<ReadResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _waiting.OnCompleted(continuation, state, token, flags);

    private static long IndexOf(SequencePosition position) =>
        position.GetObject() is BlockSegment segment ? segment.RunningIndex + position.GetInteger() : 0;

    private void Wake()
    {
        if (!_isWaiting)
        {
            return;
        }

        try
        {
            if (TryRead(out ReadResult result))
            {
                _isWaiting = false;
                _waiting.SetResult(result);
            }
        }
        catch (SocketResetException reset)
        {
            _isWaiting = false;
            _waiting.SetException(reset);
        }
    }

    private ReadResult TakeResult()
    {
        if (_failure != 0 && _buffered <= _examined)
        {
            throw new SocketResetException(_failure);
        }

        bool canceled = _canceled;
        _canceled = false;
        return new ReadResult(Buffered, canceled, _ended);
    }

    private void Receive()
    {
        BlockSegment target = _last is { Free: >= 512 } ? _last : Append();
        nint count;
        fixed (byte* start = target.Block)
        {
            count = _socket.Receive(start + target.End, target.Free);
        }

        if (count > 0)
        {
            _nextBlock = count == target.Free ? Math.Min(_nextBlock * 4, LoopMemory.LargeBlock) : _nextBlock;
            target.Fill((int)count);
            _buffered += count;
            return;
        }

        _ended |= count == 0;
        _failure = count is 0 or -Errno.EAGAIN or -Errno.EINTR ? 0 : (int)-count;
        if (_buffered == 0)
        {
            ReleaseBlocks();
        }
    }

    private BlockSegment Append()
    {
        BlockSegment segment = _spare ?? new BlockSegment();
        _spare = null;
        segment.Reset(_socket.Loop.Memory.Rent(_nextBlock), _last is null ? 0 : _last.RunningIndex + _last.End);
        _last?.Link(segment);
        _first ??= segment;
        _last = segment;
        return segment;
    }

    private void Recycle(BlockSegment segment)
    {
        _socket.Loop.Memory.Return(segment.Block);
        _spare = segment;
    }

    private void ReleaseBlocks()
    {
        while (_first is { } segment)
        {
            _first = segment.NextSegment;
            Recycle(segment);
        }

        _last = null;
        _firstOffset = 0;
        _buffered = 0;
        _examined = 0;
    }
}

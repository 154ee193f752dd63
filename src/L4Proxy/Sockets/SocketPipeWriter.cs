using System.IO.Pipelines;
using System.Threading.Tasks.Sources;
using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// The sending half of a <see cref="SocketPipe"/>. A flush completes when the kernel has taken everything, so a peer
/// that does not read stops its writer. <see cref="WriteAsync"/> sends the caller's memory without copying it.
/// </summary>
internal sealed unsafe class SocketPipeWriter : PipeWriter, IValueTaskSource<FlushResult>
{
    private readonly LoopSocket _socket;
    private ManualResetValueTaskSourceCore<FlushResult> _waiting;
    private byte[]? _block;
    private int _start;
    private int _end;
    private ReadOnlyMemory<byte> _direct;
    private int _failure;
    private bool _isWaiting;
    private bool _canceled;
    private bool _completed;

    public SocketPipeWriter(LoopSocket socket) => _socket = socket;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _end - _start + _direct.Length;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _block.AsMemory(_end);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _block.AsSpan(_end);
    }

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, (_block?.Length ?? 0) - _end);
        _end += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (TrySendAll() || _canceled)
        {
            KeepRest();
            return new ValueTask<FlushResult>(TakeResult());
        }

        _waiting.Reset();
        _isWaiting = true;
        return new ValueTask<FlushResult>(this, _waiting.Version);
    }

    /// <summary>
    /// Sends <paramref name="source"/> after what is buffered; the memory must stay valid until completion. What a
    /// cancelled flush left unsent is kept, and goes out with the next.
    /// </summary>
    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        _direct = source;
        return FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush()
    {
        _canceled = true;
        if (_isWaiting)
        {
            _isWaiting = false;
            KeepRest();
            _waiting.SetResult(TakeResult());
        }
    }

    /// <summary>
    /// Sends what is buffered, then passes the end on as a FIN; with an exception a reset, and also when the kernel
    /// does not take everything, for a FIN after lost bytes would call a torn stream whole.
    /// </summary>
    public override void Complete(Exception? exception = null)
    {
        if (_completed)
        {
            return;
        }

        bool whole = exception is null && TrySendAll();
        _completed = true;
        _direct = default;
        ReleaseBlock();
        if (!whole)
        {
            SocketPipe.Reset(_socket);
        }
        else if (!_socket.IsClosed)
        {
            _socket.ShutdownWrite();
        }
    }

    internal void OnReady()
    {
        if (!_isWaiting || !TrySendAll())
        {
            return;
        }

        _isWaiting = false;
        if (_failure != 0)
        {
            _waiting.SetException(new SocketResetException(_failure));
        }
        else
        {
            _waiting.SetResult(TakeResult());
        }
    }

    internal void Dispose()
    {
        _failure = _failure == 0 ? Errno.ECONNABORTED : _failure;
        _direct = default;
        ReleaseBlock();
        if (_isWaiting)
        {
            _isWaiting = false;
            _waiting.SetException(new SocketResetException(_failure));
        }
    }

    FlushResult IValueTaskSource<FlushResult>.GetResult(short token) => _waiting.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<FlushResult>.GetStatus(short token) => _waiting.GetStatus(token);

    void IValueTaskSource<FlushResult>.OnCompleted(
        Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _waiting.OnCompleted(continuation, state, token, flags);

    private FlushResult TakeResult()
    {
        if (_failure != 0)
        {
            throw new SocketResetException(_failure);
        }

        bool canceled = _canceled;
        _canceled = false;
        return new FlushResult(canceled, _completed);
    }

    /// <summary>True when nothing is left, also because the connection is lost.</summary>
    private bool TrySendAll()
    {
        while (_failure == 0 && _end > _start && _socket.Writable)
        {
            fixed (byte* start = _block)
            {
                _start += Sent(_socket.Send(start + _start, _end - _start));
            }
        }

        if (_end == _start)
        {
            ReleaseBlock();
        }

        while (_failure == 0 && _block is null && !_direct.IsEmpty && _socket.Writable)
        {
            fixed (byte* start = _direct.Span)
            {
                _direct = _direct[Sent(_socket.Send(start, _direct.Length))..];
            }
        }

        return _failure != 0 || (_block is null && _direct.IsEmpty);
    }

    /// <summary>Copies the caller's unsent memory: after the flush it is the caller's again.</summary>
    private void KeepRest()
    {
        if (!_direct.IsEmpty && _failure == 0)
        {
            ReadOnlyMemory<byte> rest = _direct;
            _direct = default;
            Reserve(rest.Length);
            rest.Span.CopyTo(_block.AsSpan(_end));
            _end += rest.Length;
        }
    }

    private int Sent(nint result)
    {
        if (result < 0)
        {
            _failure = result is -Errno.EAGAIN or -Errno.EINTR ? 0 : (int)-result;
            return 0;
        }

        return (int)result;
    }

    private void Reserve(int sizeHint)
    {
        sizeHint = Math.Max(sizeHint, 1);
        if (_block is null)
        {
            _block = _socket.Loop.Memory.Rent(sizeHint);
            _start = _end = 0;
        }
        else if (_block.Length - _end < sizeHint)
        {
            byte[] larger = _socket.Loop.Memory.Rent(Math.Max(_end - _start + sizeHint, _block.Length * 2));
            _block.AsSpan(_start, _end - _start).CopyTo(larger);
            _socket.Loop.Memory.Return(_block);
            (_block, _start, _end) = (larger, 0, _end - _start);
        }
    }

    private void ReleaseBlock()
    {
        if (_block is { } block)
        {
            _block = null;
            _start = _end = 0;
            _socket.Loop.Memory.Return(block);
        }
    }
}

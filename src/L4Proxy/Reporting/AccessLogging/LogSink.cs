namespace MeshL4.L4Proxy.Reporting.AccessLogging;

/// <summary>
/// Appends lines to one path from any thread without ever waiting for the disk or a full pipe: lines go to a bounded buffer,
/// and a thread of the sink writes it out. What does not fit, or cannot be written, is dropped and counted.
/// </summary>
internal sealed class LogSink : IDisposable
{
    /// <summary>Bytes held while the writer is busy; about 10,000 lines.</summary>
    public const int DefaultCapacityBytes = 4 << 20;

    private const int InitialBytes = 16 << 10;

    /// <summary>How long lines are collected into one write.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);

    private readonly Lock _filling = new();
    private readonly LogTarget _target;
    private readonly int _capacity;
    private readonly AutoResetEvent _work = new(false);
    private readonly ManualResetEventSlim _urgent = new(false);
    private readonly Thread _writer;
    private byte[] _pending = [];
    private int _pendingBytes;
    private int _pendingLines;
    private byte[] _spare = [];
    private bool _stopping;
    private long _dropped;
    private long _written;
    private long _writtenBytes;
    private long _failedWrites;

    public LogSink(string path, int capacityBytes = DefaultCapacityBytes)
    {
        _target = new LogTarget(path);
        _capacity = capacityBytes;
        _writer = new Thread(Drain, 256 << 10) { IsBackground = true, Name = "log " + path };
        _writer.Start();
    }

    /// <summary>Lines lost: the buffer was full, or the write failed.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Lines written.</summary>
    public long Written => Volatile.Read(ref _written);

    public long WrittenBytes => Volatile.Read(ref _writtenBytes);

    /// <summary>Writes that failed as a whole: no space, no permission, reader gone.</summary>
    public long FailedWrites => Volatile.Read(ref _failedWrites);

    /// <summary>Takes one line, newline included. False when it was dropped.</summary>
    public bool TryAppend(ReadOnlySpan<byte> line)
    {
        bool wake;
        lock (_filling)
        {
            if (_stopping || line.Length > _capacity - _pendingBytes)
            {
                Interlocked.Increment(ref _dropped);
                return false;
            }

            Reserve(_pendingBytes + line.Length);
            line.CopyTo(_pending.AsSpan(_pendingBytes));
            _pendingBytes += line.Length;
            wake = _pendingLines++ == 0;
        }

        if (wake)
        {
            _work.Set();
        }

        return true;
    }

    /// <summary>Opens the path anew before the next write: the answer to a log rotation (SIGUSR1).</summary>
    public void Reopen() => _target.RequestReopen();

    /// <summary>Writes what is held, for at most two seconds, and ends the thread.</summary>
    public void Dispose()
    {
        lock (_filling)
        {
            _stopping = true;
        }

        _urgent.Set();
        _work.Set();
        if (_writer != Thread.CurrentThread && !_writer.Join(TimeSpan.FromSeconds(2)))
        {
            return; // stuck in the kernel on a pipe nobody reads: a background thread does not keep the process
        }

        _target.Dispose();
    }

    private void Reserve(int bytes)
    {
        if (_pending.Length < bytes)
        {
            int size = Math.Min(_capacity, Math.Max(Math.Max(InitialBytes, bytes), _pending.Length * 2));
            Array.Resize(ref _pending, size);
        }
    }

    private void Drain()
    {
        bool more = true;
        while (more)
        {
            _work.WaitOne();
            _urgent.Wait(Gather);
            more = WriteOnce();
        }
    }

    /// <summary>Swaps the buffers and writes; false once the sink is stopping.</summary>
    private bool WriteOnce()
    {
        byte[] batch;
        int bytes;
        int lines;
        bool more;
        lock (_filling)
        {
            (batch, bytes, lines) = (_pending, _pendingBytes, _pendingLines);
            (_pending, _pendingBytes, _pendingLines) = (_spare, 0, 0);
            more = !_stopping;
        }

        Write(batch.AsSpan(0, bytes), lines);
        _spare = batch.Length > 16 * InitialBytes ? [] : batch;
        return more;
    }

    private void Write(ReadOnlySpan<byte> batch, int lines)
    {
        if (batch.IsEmpty)
        {
            return;
        }

        if (_target.TryWrite(batch))
        {
            Interlocked.Add(ref _written, lines);
            Interlocked.Add(ref _writtenBytes, batch.Length);
        }
        else
        {
            Interlocked.Add(ref _dropped, lines);
            Interlocked.Increment(ref _failedWrites);
        }
    }
}

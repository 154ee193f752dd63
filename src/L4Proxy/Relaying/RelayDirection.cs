using System.Buffers;
using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Relaying;

/// <summary>
/// One way of a relay. Small traffic is received into the loop's scratch buffer and sent at once; what the receiver
/// does not take waits in a rented block and nothing more is read until it is gone, so a slow reader slows the
/// writer. Bulk goes through a kernel pipe. Either way an idle direction holds no memory.
/// </summary>
internal sealed unsafe class RelayDirection(LoopSocket from, LoopSocket to)
{
    /// <summary>Bytes moved per turn before other connections get theirs.</summary>
    private const int TurnBytes = 4 * 1024 * 1024;

    /// <summary>Reads this long, this many times in a row, make a transfer bulk.</summary>
    private const int BulkRead = 48 * 1024;
    private const int BulkReads = 2;

    private byte[]? _pending;
    private int _pendingOffset;
    private int _pendingLength;
    private int _bulkReads;
    private SpliceTransfer _splice;

    /// <summary>Errno of a failed receive; 0 while none.</summary>
    public int ReadFailure { get; private set; }

    /// <summary>Errno of a failed send; 0 while none.</summary>
    public int WriteFailure { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>The source's end was passed on, or the way is broken: nothing will move any more.</summary>
    public bool Ended { get; private set; }

    /// <summary>False forces copying, whatever the traffic.</summary>
    public bool AllowSplice { get; init; } = true;

    /// <summary>The other way of the same relay.</summary>
    public RelayDirection? Opposite { get; set; }

    /// <summary>Bytes were received that the receiver has not taken yet.</summary>
    public bool HoldsBytes => _pending is not null || _splice.HoldsBytes;

    /// <summary>Sends bytes that were read before the relay began; they go first.</summary>
    public void Prepend(in ReadOnlySequence<byte> bytes)
    {
        long taken = 0;
        foreach (ReadOnlyMemory<byte> segment in bytes)
        {
            fixed (byte* start = segment.Span)
            {
                nint sent = to.Send(start, segment.Length);
                if (sent < 0 && sent != -Errno.EAGAIN)
                {
                    FailWrite((int)-sent);
                    return;
                }

                taken += Math.Max(sent, 0);
            }

            if (!to.Writable)
            {
                break;
            }
        }

        Bytes += taken;
        if (taken < bytes.Length)
        {
            Keep(bytes.Slice(taken));
        }
    }

    /// <summary>Moves what can be moved now. True when its turn ended with more to do.</summary>
    public bool Pump()
    {
        long turnEnd = Bytes + TurnBytes;
        while (!Ended)
        {
            if (HoldsBytes && !Flush())
            {
                return false;
            }

            if (!from.Readable)
            {
                _splice.GiveBackWhenEmpty(from.Loop.Pipes);
                return false;
            }

            if (Bytes >= turnEnd)
            {
                return true;
            }

            ReadOnce();
        }

        return false;
    }

    /// <summary>Gives back what is held.</summary>
    public void Release()
    {
        Ended = true;
        _splice.Release(from.Loop.Pipes);
        if (_pending is { } block)
        {
            _pending = null;
            from.Loop.Memory.Return(block);
        }
    }

    private void ReadOnce()
    {
        if (_bulkReads >= BulkReads && AllowSplice && _splice.TryStart(from.Loop.Pipes))
        {
            HandleRead(_splice.Fill(from));
            return;
        }

        LoopMemory memory = from.Loop.Memory;
        nint count = from.Receive(memory.Scratch, memory.ScratchLength);
        _bulkReads = count >= BulkRead ? _bulkReads + 1 : 0;
        if (count > 0)
        {
            SendScratch((int)count);
        }
        else
        {
            HandleRead(count);
        }
    }

    private void HandleRead(nint result)
    {
        if (result == 0)
        {
            EndOfStream();
        }
        else if (result < 0 && result != -Errno.EAGAIN && result != -Errno.EINTR)
        {
            ReadFailure = (int)-result;
            Ended = true;
        }
        else if (_splice.Dwindled)
        {
            _bulkReads = 0;
        }
    }

    private void SendScratch(int count)
    {
        byte* scratch = from.Loop.Memory.Scratch;
        nint sent = to.Send(scratch, count);
        if (sent < 0 && sent != -Errno.EAGAIN)
        {
            FailWrite((int)-sent);
            return;
        }

        int taken = (int)Math.Max(sent, 0);
        Bytes += taken;
        if (taken < count)
        {
            Keep(new ReadOnlySequence<byte>(from.Loop.Memory.ScratchArray, taken, count - taken));
        }
    }

    private void Keep(in ReadOnlySequence<byte> rest)
    {
        _pendingOffset = 0;
        _pendingLength = (int)rest.Length;
        _pending = from.Loop.Memory.Rent(_pendingLength);
        rest.CopyTo(_pending);
    }

    /// <summary>True when nothing is held any more.</summary>
    private bool Flush()
    {
        // Until the kernel says EAGAIN: a splice that moved a part does not say that the rest has to wait.
        while (HoldsBytes && to.Writable)
        {
            nint result = _pending is not null ? FlushPending() : FlushPipe();
            if (result < 0 && result != -Errno.EAGAIN)
            {
                FailWrite((int)-result);
            }
        }

        return Ended || !HoldsBytes;
    }

    private nint FlushPipe()
    {
        nint moved = _splice.Drain(to);
        Bytes += Math.Max(moved, 0);
        return moved;
    }

    private nint FlushPending()
    {
        fixed (byte* start = _pending)
        {
            nint sent = to.Send(start + _pendingOffset, _pendingLength);
            if (sent > 0)
            {
                Bytes += sent;
                _pendingOffset += (int)sent;
                _pendingLength -= (int)sent;
            }

            if (_pendingLength == 0)
            {
                from.Loop.Memory.Return(_pending!);
                _pending = null;
            }

            return sent;
        }
    }

    private void EndOfStream()
    {
        Ended = true;
        // With both ways at their end the sockets are closed next, and closing says as much.
        if (!to.IsClosed && Opposite is not { Ended: true })
        {
            to.ShutdownWrite();
        }

        _splice.Release(from.Loop.Pipes);
    }

    private void FailWrite(int error)
    {
        WriteFailure = error;
        Release();
    }
}

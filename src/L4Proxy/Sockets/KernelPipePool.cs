using MeshL4.Interceptor.Linux;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>A kernel pipe for splice(2). <see cref="Bytes"/> is what was put in and not yet taken out.</summary>
internal sealed class KernelPipe(int readEnd, int writeEnd, int capacity)
{
    public int ReadEnd { get; } = readEnd;

    public int WriteEnd { get; } = writeEnd;

    public int Capacity { get; } = capacity;

    public int Bytes { get; set; }

    public void Close()
    {
        Descriptors.Close(ReadEnd);
        Descriptors.Close(WriteEnd);
    }
}

/// <summary>
/// Pipes of one loop, lent only while bytes are in flight. An unprivileged user may hold about 16,384 pipe pages
/// (/proc/sys/fs/pipe-user-pages-soft); beyond that the kernel hands out pipes of one or two pages, which are slower
/// than copying, so a pipe under 64 KiB is refused and the caller copies.
/// </summary>
internal sealed unsafe class KernelPipePool : IDisposable
{
    private const int LeastCapacity = 64 * 1024;
    private const int WantedCapacity = 1024 * 1024;
    private const int LargePipes = 8;
    private const int MaxPipes = 256;
    private const int KeptPipes = 16;

    /// <summary>Milliseconds before the kernel is asked again after it had no pipe: asking costs as much as a small copy.</summary>
    private const long RefusalLasts = 100;

    private readonly Stack<KernelPipe> _free = new();
    private int _open;
    private int _large;
    private long _askAgainAt;

    /// <summary>Pipes lent out now.</summary>
    public int Lent { get; private set; }

    /// <summary>Times a pipe was lent.</summary>
    public long Rentals { get; private set; }

    /// <summary>Times a pipe was asked for and copying had to do.</summary>
    public long Refused { get; private set; }

    /// <summary>Null when no pipe of 64 KiB is to be had now.</summary>
    public KernelPipe? Rent()
    {
        if (!_free.TryPop(out KernelPipe? pipe))
        {
            pipe = _open < MaxPipes && Environment.TickCount64 >= _askAgainAt ? Open() : null;
        }

        if (pipe is null)
        {
            Refused++;
            return null;
        }

        Lent++;
        Rentals++;
        return pipe;
    }

    /// <summary>Takes a pipe back; one that still holds bytes is closed, for they belong to a connection that ended.</summary>
    public void Return(KernelPipe pipe)
    {
        Lent--;
        if (pipe.Bytes == 0 && _free.Count < KeptPipes)
        {
            _free.Push(pipe);
        }
        else
        {
            Close(pipe);
        }
    }

    public void Dispose()
    {
        while (_free.TryPop(out KernelPipe? pipe))
        {
            Close(pipe);
        }
    }

    private KernelPipe? Open()
    {
        int* ends = stackalloc int[2];
        if (Descriptors.Pipe(ends, Descriptors.NonBlocking | Descriptors.CloseOnExec) < 0)
        {
            _askAgainAt = Environment.TickCount64 + RefusalLasts;
            return null;
        }

        bool room = DescriptorReserve.RoomToAccept(Math.Max(ends[0], ends[1]));
        if (room && _large < LargePipes)
        {
            Descriptors.Control(ends[1], Descriptors.SetPipeSize, WantedCapacity);
        }

        int capacity = room ? Descriptors.Control(ends[1], Descriptors.GetPipeSize, 0) : 0;
        var pipe = new KernelPipe(ends[0], ends[1], capacity);
        if (capacity < LeastCapacity)
        {
            pipe.Close();
            _askAgainAt = Environment.TickCount64 + RefusalLasts;
            return null;
        }

        _open++;
        _large += capacity >= WantedCapacity ? 1 : 0;
        return pipe;
    }

    private void Close(KernelPipe pipe)
    {
        _open--;
        _large -= pipe.Capacity >= WantedCapacity ? 1 : 0;
        pipe.Close();
    }
}

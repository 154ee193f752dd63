using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Relaying;

/// <summary>Bulk bytes through a kernel pipe that is borrowed only while they are in it.</summary>
internal unsafe struct SpliceTransfer
{
    /// <summary>A fill below this is not bulk any more; splice then costs more calls than it saves copies.</summary>
    private const int SmallFill = 16 * 1024;
    private const int SmallFills = 8;

    private KernelPipe? _pipe;
    private int _smallFills;

    public readonly bool HoldsBytes => _pipe is { Bytes: > 0 };

    /// <summary>Several small fills in a row: go back to copying.</summary>
    public readonly bool Dwindled => _smallFills >= SmallFills;

    /// <summary>False when no pipe is to be had: copy.</summary>
    public bool TryStart(KernelPipePool pipes)
    {
        if (_smallFills >= SmallFills)
        {
            _smallFills = 0;
        }

        _pipe ??= pipes.Rent();
        return _pipe is not null;
    }

    /// <summary>Socket to pipe: bytes, 0 at the end of the stream, or minus errno. The pipe is empty before the call.</summary>
    public nint Fill(LoopSocket from)
    {
        const uint flags = Descriptors.SpliceMove | Descriptors.SpliceNonBlocking;
        nint count = Descriptors.Splice(from.Fd, null, _pipe!.WriteEnd, null, _pipe.Capacity, flags);
        if (count < 0)
        {
            return from.ReadError();
        }

        _pipe.Bytes = (int)count;
        _smallFills = count < SmallFill ? _smallFills + 1 : 0;
        return count;
    }

    /// <summary>Pipe to socket: bytes or minus errno.</summary>
    public readonly nint Drain(LoopSocket to)
    {
        const uint flags = Descriptors.SpliceMove | Descriptors.SpliceNonBlocking;
        nint count = Descriptors.Splice(_pipe!.ReadEnd, null, to.Fd, null, _pipe.Bytes, flags);
        if (count < 0)
        {
            return to.WriteError();
        }

        _pipe.Bytes -= (int)count;
        return count;
    }

    public void GiveBackWhenEmpty(KernelPipePool pipes)
    {
        if (_pipe is { Bytes: 0 })
        {
            Release(pipes);
        }
    }

    public void Release(KernelPipePool pipes)
    {
        if (_pipe is { } pipe)
        {
            _pipe = null;
            pipes.Return(pipe);
        }
    }
}

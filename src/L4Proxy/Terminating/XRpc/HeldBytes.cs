using MeshL4.L4Proxy.Sockets;

namespace MeshL4.L4Proxy.Terminating.XRpc;

/// <summary>
/// The beginning of a frame whose rest has not come, or frames that have to wait: in a block of the loop's memory, which is held
/// only as long as there are such bytes.
/// </summary>
internal unsafe struct HeldBytes
{
    private byte[]? _block;

    /// <summary>Bytes held.</summary>
    public int Count { get; private set; }

    /// <summary>How many of them the scanner has taken.</summary>
    public int Scanned { get; private set; }

    public readonly bool IsEmpty => Count == 0;

    public readonly Span<byte> Bytes => _block.AsSpan(0, Count);

    /// <summary>Holds the end of a buffer, which may be this one's own.</summary>
    /// <param name="memory">The loop's.</param>
    /// <param name="buffer">Bytes of a read.</param>
    /// <param name="from">First byte to hold.</param>
    /// <param name="scanned">Where the scanner is in the buffer.</param>
    public void Keep(LoopMemory memory, ReadOnlySpan<byte> buffer, int from, int scanned)
    {
        int rest = buffer.Length - from;
        if (rest == 0)
        {
            Release(memory);
            return;
        }

        if (_block is null || _block.Length < rest)
        {
            byte[] block = memory.Rent(rest);
            buffer[from..].CopyTo(block);
            Release(memory);
            _block = block;
        }
        else
        {
            buffer[from..].CopyTo(_block);
        }

        (Count, Scanned) = (rest, scanned - from);
    }

    /// <summary>Reads more behind what is held; the socket's result.</summary>
    /// <param name="socket">From where.</param>
    public nint Receive(LoopSocket socket)
    {
        LoopMemory memory = socket.Loop.Memory;
        if (_block!.Length - Count < LoopMemory.SmallBlock / 2)
        {
            byte[] larger = memory.Rent(Math.Max(Count + LoopMemory.SmallBlock, _block.Length * 2));
            Bytes.CopyTo(larger);
            memory.Return(_block);
            _block = larger;
        }

        fixed (byte* start = _block)
        {
            nint count = socket.Receive(start + Count, _block.Length - Count);
            Count += (int)Math.Max(count, 0);
            return count;
        }
    }

    /// <summary>Gives the block back.</summary>
    public void Release(LoopMemory memory)
    {
        if (_block is not null)
        {
            memory.Return(_block);
            _block = null;
        }

        (Count, Scanned) = (0, 0);
    }
}

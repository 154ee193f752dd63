using System.Runtime.InteropServices;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// Buffers of one loop: pinned blocks on a ladder of sizes, kept in stacks, never shared between threads. A block is
/// rented when there is something to read and goes back when it is empty, so an idle connection holds none.
/// </summary>
internal sealed unsafe class LoopMemory
{
    public const int SmallBlock = 4 * 1024;
    public const int MediumBlock = 16 * 1024;
    public const int LargeBlock = 64 * 1024;

    /// <summary>Bytes kept for reuse per rung; what comes back above it is left to the collector.</summary>
    private const int KeptBytesPerRung = 4 * 1024 * 1024;

    private static readonly int[] Ladder = [SmallBlock, MediumBlock, LargeBlock];

    private readonly Stack<byte[]>[] _free = [new(), new(), new()];

    public LoopMemory()
    {
        ScratchArray = GC.AllocateUninitializedArray<byte>(LargeBlock, pinned: true);
        Scratch = (byte*)Marshal.UnsafeAddrOfPinnedArrayElement(ScratchArray, 0);
    }

    /// <summary>One receive buffer for the whole loop; its contents live until the next receive.</summary>
    public byte* Scratch { get; }

    public int ScratchLength => ScratchArray.Length;

    public byte[] ScratchArray { get; }

    /// <summary>Blocks out now: 0 when no connection holds a byte.</summary>
    public long Rented { get; private set; }

    /// <summary>Bytes out now.</summary>
    public long RentedBytes { get; private set; }

    /// <summary>
    /// Rents the smallest block of at least <paramref name="atLeast"/> bytes. Over the largest rung the block is made
    /// to measure and not pooled: only a sniffed prefix can be that long, and its budget bounds it.
    /// </summary>
    public byte[] Rent(int atLeast)
    {
        int rung = atLeast <= SmallBlock ? 0 : atLeast <= MediumBlock ? 1 : 2;
        bool pooled = atLeast <= LargeBlock;
        byte[] block = pooled && _free[rung].TryPop(out byte[]? free)
            ? free
            : GC.AllocateUninitializedArray<byte>(pooled ? Ladder[rung] : atLeast, pinned: true);
        Rented++;
        RentedBytes += block.Length;
        return block;
    }

    public void Return(byte[] block)
    {
        Rented--;
        RentedBytes -= block.Length;
        int rung = Array.IndexOf(Ladder, block.Length);
        if (rung >= 0 && (long)_free[rung].Count * block.Length < KeptBytesPerRung)
        {
            _free[rung].Push(block);
        }
    }
}

using System.Buffers;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>A rented block in a chain of received bytes.</summary>
internal sealed class BlockSegment : ReadOnlySequenceSegment<byte>
{
    public byte[] Block { get; private set; } = [];

    /// <summary>Bytes filled.</summary>
    public int End { get; private set; }

    public int Free => Block.Length - End;

    public BlockSegment? NextSegment => (BlockSegment?)Next;

    public void Reset(byte[] block, long runningIndex)
    {
        Block = block;
        End = 0;
        Memory = default;
        RunningIndex = runningIndex;
        Next = null;
    }

    public void Fill(int count)
    {
        End += count;
        Memory = new ReadOnlyMemory<byte>(Block, 0, End);
    }

    public void Link(BlockSegment next) => Next = next;
}

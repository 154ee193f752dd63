using System.Buffers;
using System.Runtime.CompilerServices;

namespace MeshL4.L4Proxy.Sockets;

/// <summary>
/// Bytes waiting to be sent, in blocks of the loop's memory: an empty queue holds none. Written at one end, sent from the other.
/// Belongs to one loop.
/// </summary>
internal sealed unsafe class OutputQueue(LoopMemory memory) : IBufferWriter<byte>
{
    private Block[] _blocks = [];
    private int _first;
    private int _count;

    /// <summary>Bytes waiting.</summary>
    public long Length { get; private set; }

    /// <summary>Bytes of the blocks that hold them.</summary>
    public long HeldBytes { get; private set; }

    public bool IsEmpty => Length == 0;

    /// <summary>The oldest bytes, as many as are in one piece.</summary>
    public ReadOnlySpan<byte> First => _count == 0 ? default : _blocks[_first].Filled;

    /// <summary>Appends a copy.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_count > 0)
        {
            ref Block last = ref _blocks[(_first + _count - 1) & (_blocks.Length - 1)];
            if (last.Bytes.Length - last.End >= bytes.Length)
            {
                bytes.CopyTo(last.Bytes.AsSpan(last.End));
                last.End += bytes.Length;
                Length += bytes.Length;
                return;
            }
        }

        AppendSplit(bytes);
    }

    /// <inheritdoc/>
    public void Advance(int count)
    {
        _blocks[(_first + _count - 1) & (_blocks.Length - 1)].End += count;
        Length += count;
    }

    /// <inheritdoc/>
    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        ref Block last = ref _blocks[(_first + _count - 1) & (_blocks.Length - 1)];
        return last.Bytes.AsMemory(last.End);
    }

    /// <inheritdoc/>
    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        ref Block last = ref _blocks[(_first + _count - 1) & (_blocks.Length - 1)];
        return last.Bytes.AsSpan(last.End);
    }

    /// <summary>Takes sent bytes off the front; at most as many as <see cref="First"/> has.</summary>
    public void Consume(int count)
    {
        Length -= count;
        ref Block first = ref _blocks[_first];
        first.Start += count;
        if (first.Start == first.End)
        {
            Return(first.Bytes);
            first = default;
            _first = (_first + 1) & (_blocks.Length - 1);
            _count--;
        }
    }

    /// <summary>Moves all bytes to the end of another queue of the same loop, without copying long ones.</summary>
    public void MoveTo(OutputQueue other)
    {
        while (_count > 0)
        {
            ReadOnlySpan<byte> bytes = First;
            other.Append(bytes);
            Consume(bytes.Length);
        }
    }

    /// <summary>Throws everything away and gives the blocks back.</summary>
    public void Clear()
    {
        for (; _count > 0; _count--, _first = (_first + 1) & (_blocks.Length - 1))
        {
            Return(_blocks[_first].Bytes);
            _blocks[_first] = default;
        }

        Length = 0;
    }

    /// <summary>Sends what the socket takes. False on an error; then the connection is lost.</summary>
    public bool SendTo(LoopSocket socket)
    {
        while (Length > 0 && socket.Writable)
        {
            ref Block first = ref _blocks[_first];
            nint sent;
            fixed (byte* start = first.Bytes)
            {
                sent = socket.Send(start + first.Start, first.End - first.Start);
            }

            if (sent > 0)
            {
                Consume((int)sent);
            }
            else if (socket.Writable && sent != -Interceptor.Linux.Errno.EINTR)
            {
                return false;
            }
        }

        return true;
    }

    private void AppendSplit(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Reserve(1, bytes.Length);
            ref Block last = ref _blocks[(_first + _count - 1) & (_blocks.Length - 1)];
            int part = Math.Min(last.Bytes.Length - last.End, bytes.Length);
            bytes[..part].CopyTo(last.Bytes.AsSpan(last.End));
            last.End += part;
            Length += part;
            bytes = bytes[part..];
        }
    }

    private void Reserve(int needed, int wanted = 0)
    {
        if (_count > 0)
        {
            ref Block last = ref _blocks[(_first + _count - 1) & (_blocks.Length - 1)];
            if (last.Bytes.Length - last.End >= needed)
            {
                return;
            }

            if (last.End == 0)
            {
                // Reserved and never written: an empty block inside the queue would look like its end.
                Return(last.Bytes);
                _count--;
            }
        }

        if (_count == _blocks.Length)
        {
            Grow();
        }

        // The longer the queue, the larger its next block: few sends for much, little memory for little.
        int size = Length < LoopMemory.SmallBlock ? LoopMemory.SmallBlock : Length < LoopMemory.LargeBlock ? LoopMemory.MediumBlock : LoopMemory.LargeBlock;
        size = Math.Max(Math.Max(size, needed), Math.Min(wanted, LoopMemory.LargeBlock));
        byte[] block = memory.Rent(size);
        HeldBytes += block.Length;
        _blocks[(_first + _count) & (_blocks.Length - 1)] = new Block { Bytes = block };
        _count++;
    }

    private void Return(byte[] block)
    {
        HeldBytes -= block.Length;
        memory.Return(block);
    }

    private void Grow()
    {
        var larger = new Block[Math.Max(2, _blocks.Length * 2)];
        for (int i = 0; i < _count; i++)
        {
            larger[i] = _blocks[(_first + i) & (_blocks.Length - 1)];
        }

        _blocks = larger;
        _first = 0;
    }

    private struct Block
    {
        public byte[] Bytes;
        public int Start;
        public int End;

        public readonly ReadOnlySpan<byte> Filled => Bytes.AsSpan(Start, End - Start);
    }
}

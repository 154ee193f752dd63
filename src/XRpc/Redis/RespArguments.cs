using System.Buffers;
using System.Buffers.Text;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// The arguments of one command that was scanned and lies whole in memory, by index. For the commands whose keys are not at
/// one fixed place; the others never come here. The index is rented: dispose.
/// </summary>
public readonly ref struct RespArguments
{
    private readonly ReadOnlySpan<byte> _frame;
    private readonly int[] _offsets;

    /// <summary>Indexes a frame.</summary>
    /// <param name="frame">A whole array of bulk strings that the scanner called Done.</param>
    public RespArguments(ReadOnlySpan<byte> frame)
    {
        _frame = frame;
        int at = 1;
        Count = TakeNumber(frame, ref at);
        _offsets = ArrayPool<int>.Shared.Rent(Math.Max(Count * 3, 1));
        for (int i = 0; i < Count; i++)
        {
            _offsets[i * 3] = at++;
            int length = TakeNumber(frame, ref at);
            _offsets[(i * 3) + 1] = at;
            _offsets[(i * 3) + 2] = length;
            at += length + 2;
        }
    }

    /// <summary>Arguments, the command included.</summary>
    public int Count { get; }

    /// <summary>Bytes of an argument.</summary>
    /// <param name="index">From 0, which is the command.</param>
    public ReadOnlySpan<byte> this[int index] => _frame.Slice(_offsets[(index * 3) + 1], _offsets[(index * 3) + 2]);

    /// <summary>Where the <c>$</c> of an argument is, from the frame's first byte.</summary>
    /// <param name="index">From 0.</param>
    public int HeaderOffset(int index) => _offsets[index * 3];

    /// <summary>Where the bytes of an argument are, from the frame's first byte.</summary>
    /// <param name="index">From 0.</param>
    public int Offset(int index) => _offsets[(index * 3) + 1];

    /// <summary>Gives the index back.</summary>
    public void Dispose() => ArrayPool<int>.Shared.Return(_offsets);

    private static int TakeNumber(ReadOnlySpan<byte> frame, ref int at)
    {
        _ = Utf8Parser.TryParse(frame[at..], out int value, out int used);
        at += used + 2;
        return value;
    }
}

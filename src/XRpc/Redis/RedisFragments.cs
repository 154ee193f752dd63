using System.Buffers;
using System.Buffers.Text;
using System.Runtime.InteropServices;

namespace MeshL4.XRpc.Redis;

/// <summary>A part of a command, for one node.</summary>
/// <param name="Node">See <see cref="RedisTarget.Node"/>.</param>
/// <param name="Start">First byte in <see cref="RedisFragments.Bytes"/>.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Keys">Keys it has.</param>
public readonly record struct RedisFragment(long Node, int Start, int Length, int Keys);

/// <summary>
/// Cuts MGET, MSET, DEL, EXISTS, UNLINK and TOUCH into one command for each node that has keys of it. Kept and used again: it
/// allocates only to grow, and gives large memory back. Work is linear in the arguments, whatever the number of nodes.
/// </summary>
public sealed class RedisFragments : IDisposable
{
    private const int KeptBytes = 64 * 1024;

    private readonly Dictionary<long, int> _byNode = [];
    private RedisFragment[] _fragments = new RedisFragment[8];
    private int[] _owners = [];
    private int[] _removed = [];
    private byte[] _bytes = [];

    /// <summary>The parts, in the order in which their nodes were first met.</summary>
    public ReadOnlySpan<RedisFragment> Parts => _fragments.AsSpan(0, Count);

    /// <summary>Number of parts.</summary>
    public int Count { get; private set; }

    /// <summary>For each key, in its order, the index of the part that has it.</summary>
    public ReadOnlySpan<int> Owners => _owners.AsSpan(0, Keys);

    /// <summary>Number of keys.</summary>
    public int Keys { get; private set; }

    /// <summary>Index of the first key no route takes; -1 when all have one.</summary>
    public int Unrouted { get; private set; }

    /// <summary>The bytes of a part.</summary>
    /// <param name="part">One of <see cref="Parts"/>.</param>
    public ReadOnlyMemory<byte> Bytes(in RedisFragment part) => _bytes.AsMemory(part.Start, part.Length);

    /// <summary>Cuts a command. Its keys are every <paramref name="step"/>th argument behind the name.</summary>
    /// <param name="arguments">At least one key, and a whole number of steps.</param>
    /// <param name="step">1, or 2 when a value follows each key.</param>
    /// <param name="readOnly">Whether the command only reads.</param>
    /// <param name="targets">Where keys live.</param>
    /// <returns>Whether every key has a node; else nothing was cut.</returns>
    public bool TryCut<TTargets>(in RespArguments arguments, int step, bool readOnly, ref TTargets targets)
        where TTargets : IRedisTargets
    {
        Begin((arguments.Count - 1) / step);
        for (int key = 0; key < Keys; key++)
        {
            RedisTarget target = targets.Find(arguments[1 + (key * step)], readOnly);
            if (target.IsNone)
            {
                Unrouted = key;
                return false;
            }

            _removed[key] = target.RemovePrefix;
            _owners[key] = Assign(target.Node, SizeOf(arguments, key, step));
        }

        Place(arguments, step);
        Fill(arguments, step);
        return true;
    }

    /// <summary>Gives rented memory back; it is rented again when needed.</summary>
    public void Dispose()
    {
        Return(ref _owners);
        Return(ref _removed);
        Return(ref _bytes);
    }

    /// <summary>To be called when the parts have been written: lets go of memory that only a large command needed.</summary>
    public void Trim()
    {
        if (_bytes.Length > KeptBytes)
        {
            Dispose();
        }
    }

    private void Begin(int keys)
    {
        (Keys, Count, Unrouted) = (keys, 0, -1);
        _byNode.Clear();
        Rent(ref _owners, keys);
        Rent(ref _removed, keys);
    }

    private int Assign(long node, int size)
    {
        ref int index = ref CollectionsMarshal.GetValueRefOrAddDefault(_byNode, node, out bool known);
        if (!known)
        {
            index = Count++;
            if (index == _fragments.Length)
            {
                Array.Resize(ref _fragments, index * 2);
            }

            _fragments[index] = new RedisFragment(node, 0, 0, 0);
        }

        ref RedisFragment part = ref _fragments[index];
        part = part with { Length = part.Length + size, Keys = part.Keys + 1 };
        return index;
    }

    private int SizeOf(in RespArguments arguments, int key, int step)
    {
        int size = BulkSize(arguments[1 + (key * step)].Length - _removed[key]);
        return step == 1 ? size : size + BulkSize(arguments[2 + (key * step)].Length);
    }

    /// <summary>Gives every part its place, its head written there already; Length then counts what is filled.</summary>
    private void Place(in RespArguments arguments, int step)
    {
        int total = 0;
        for (int i = 0; i < Count; i++)
        {
            total += _fragments[i].Length + HeadSize(arguments, _fragments[i].Keys, step);
        }

        Rent(ref _bytes, total);
        int start = 0;
        for (int i = 0; i < Count; i++)
        {
            int size = _fragments[i].Length + HeadSize(arguments, _fragments[i].Keys, step);
            int at = Number(start, (byte)'*', 1 + (_fragments[i].Keys * step));
            at = Bulk(at, arguments[0]);
            _fragments[i] = _fragments[i] with { Start = start, Length = at - start };
            start += size;
        }
    }

    private void Fill(in RespArguments arguments, int step)
    {
        for (int key = 0; key < Keys; key++)
        {
            ref RedisFragment part = ref _fragments[_owners[key]];
            int at = Bulk(part.Start + part.Length, arguments[1 + (key * step)][_removed[key]..]);
            at = step == 1 ? at : Bulk(at, arguments[2 + (key * step)]);
            part = part with { Length = at - part.Start };
        }
    }

    private int Bulk(int at, ReadOnlySpan<byte> value)
    {
        at = Number(at, (byte)'$', value.Length);
        value.CopyTo(_bytes.AsSpan(at));
        at += value.Length;
        "\r\n"u8.CopyTo(_bytes.AsSpan(at));
        return at + 2;
    }

    private int Number(int at, byte type, int value)
    {
        _bytes[at++] = type;
        Utf8Formatter.TryFormat(value, _bytes.AsSpan(at), out int digits);
        at += digits;
        "\r\n"u8.CopyTo(_bytes.AsSpan(at));
        return at + 2;
    }

    private static int HeadSize(in RespArguments arguments, int keys, int step) =>
        3 + Digits(1 + (keys * step)) + BulkSize(arguments[0].Length);

    private static int BulkSize(int length) => 5 + Digits(length) + length;

    private static int Digits(int value)
    {
        int digits = 1;
        for (; value > 9; value /= 10)
        {
            digits++;
        }

        return digits;
    }

    private static void Rent<T>(ref T[] array, int length)
    {
        if (array.Length < length)
        {
            Return(ref array);
            array = ArrayPool<T>.Shared.Rent(length);
        }
    }

    private static void Return<T>(ref T[] array)
    {
        if (array.Length > 0)
        {
            ArrayPool<T>.Shared.Return(array);
            array = [];
        }
    }
}

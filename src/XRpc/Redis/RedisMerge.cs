using System.Buffers;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// Makes one answer of the answers to the parts of a command, which come in any order. Kept and used again: it allocates only to
/// grow. What it holds is bounded: over the limit the answer is an error, and the answers that still come are not kept.
/// </summary>
public sealed partial class RedisMerge : IDisposable
{
    /// <summary>Bytes of all answers together, unless said otherwise.</summary>
    public const long DefaultLimit = 64L * 1024 * 1024;

    private Part[] _parts = [];
    private int[] _owners = [];
    private int _count;
    private int _keys;
    private int _missing;
    private long _held;
    private bool _tooLarge;
    private string _command = "";
    private RedisMergeKind _kind;
    private RedisCursor _cursor;

    /// <summary>Most bytes that are held.</summary>
    public long Limit { get; set; } = DefaultLimit;

    /// <summary>Bytes held now.</summary>
    public long Held => _held;

    /// <summary>Whether all answers have come.</summary>
    public bool IsComplete => _missing == 0;

    /// <summary>Begins an answer.</summary>
    /// <param name="command">Its rule says how.</param>
    /// <param name="parts">Number of answers to come, at least one.</param>
    /// <param name="owners">For an interleaved answer the part of each key; else empty. Copied.</param>
    /// <param name="cursor">For SCAN, the node that is asked.</param>
    public void Begin(RedisCommand command, int parts, ReadOnlySpan<int> owners, RedisCursor cursor = default)
    {
        Release();
        (_command, _kind, _cursor) = (command.Name, command.Merge, cursor);
        _count = _missing = parts;
        if (_parts.Length < parts)
        {
            _parts = new Part[Math.Max(parts, 8)];
        }

        _keys = owners.Length;
        if (_keys > 0)
        {
            _owners = ArrayPool<int>.Shared.Rent(_keys);
            owners.CopyTo(_owners);
        }
    }

    /// <summary>Takes the whole answer to a part, copied.</summary>
    /// <param name="part">Index of the part.</param>
    /// <param name="reply">One reply that the scanner called Done, or an error made by the proxy.</param>
    /// <returns>Whether all answers have come.</returns>
    public bool Add(int part, ReadOnlySpan<byte> reply)
    {
        ref Part place = ref _parts[part];
        if (place.Length > 0)
        {
            return IsComplete;
        }

        // What came before the reply itself (attributes) tells of one node only.
        reply = SkipAttributes(reply);
        _missing--;
        _tooLarge |= _held + reply.Length > Limit;
        ReadOnlySpan<byte> kept = _tooLarge ? reply[..1] : reply;
        place.Bytes = ArrayPool<byte>.Shared.Rent(kept.Length);
        kept.CopyTo(place.Bytes);
        place.Length = kept.Length;
        _held += kept.Length;
        return IsComplete;
    }

    /// <summary>Writes the one answer, and lets go of what was held.</summary>
    /// <param name="output">Takes one reply.</param>
    public void WriteTo(IBufferWriter<byte> output)
    {
        if (_tooLarge)
        {
            RespWriter.WriteError(output, $"ERR MeshL4: the answers to {_command} have more than {Limit} bytes");
        }
        else
        {
            Write(output);
        }

        Release();
    }

    /// <summary>Lets go of what was held; may be used again.</summary>
    public void Dispose() => Release();

    private void Release()
    {
        for (int i = 0; i < _count; i++)
        {
            if (_parts[i].Bytes is { } bytes)
            {
                ArrayPool<byte>.Shared.Return(bytes);
            }

            _parts[i] = default;
        }

        if (_keys > 0)
        {
            ArrayPool<int>.Shared.Return(_owners);
            _owners = [];
        }

        (_count, _keys, _missing, _held, _tooLarge) = (0, 0, 0, 0, false);
    }

    private ReadOnlySpan<byte> Reply(int part) => _parts[part].Bytes.AsSpan(0, _parts[part].Length);

    private struct Part
    {
        public byte[]? Bytes;
        public int Length;

        /// <summary>Bytes of the array's elements written so far.</summary>
        public int At;
    }
}

using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>One command whose answer is due.</summary>
/// <param name="Timestamp">Stopwatch ticks of the batch it came with.</param>
/// <param name="Upstream">Index of the upstream that answers; -1 when the answer is in the queue of local answers.</param>
/// <param name="Command">For the counters.</param>
/// <param name="Hidden">The client did not ask for it: the answer is taken and dropped.</param>
internal readonly record struct RedisPending(long Timestamp, short Upstream, RedisCommandId Command, bool Hidden = false)
{
    /// <summary>Marks an answer that this proxy makes.</summary>
    public const short Local = -1;
}

/// <summary>Commands in flight on one downstream connection, in order: what keeps answers in order. Grows to a bound.</summary>
internal sealed class RedisPendingRing
{
    /// <summary>Commands in flight at most; reading pauses there.</summary>
    public const int Capacity = 64 * 1024;

    private RedisPending[] _items = new RedisPending[16];
    private uint _head;
    private uint _tail;

    public int Count => (int)(_tail - _head);

    public bool IsEmpty => _tail == _head;

    /// <summary>Room for one batch step: a command may need a hidden one beside it.</summary>
    public bool IsFull => Count >= Capacity - 2;

    public ref readonly RedisPending Head => ref _items[_head & (_items.Length - 1)];

    public void Add(in RedisPending item)
    {
        if (Count == _items.Length)
        {
            Grow();
        }

        _items[_tail++ & (_items.Length - 1)] = item;
    }

    public void RemoveHead() => _head++;

    private void Grow()
    {
        var larger = new RedisPending[_items.Length * 2];
        for (int i = 0; i < _items.Length; i++)
        {
            larger[i] = _items[(_head + i) & (_items.Length - 1)];
        }

        _tail = (uint)Count;
        _head = 0;
        _items = larger;
    }
}

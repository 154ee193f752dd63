using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Upstream.Pools;

/// <summary>
/// Requests in flight by id. An id is a slot's number with the slot's generation above it; the generation moves with every use, so
/// the id of a request that is over belongs to nobody until all generations were used. One that nobody waits for, and whose answer may
/// still come, is not over: its slot has no other request before. Id 0 is never given.
/// </summary>
internal sealed class SlotTable<TCodec>
    where TCodec : struct, IXRpcCodec<TCodec>
{
    private readonly int _slotBits;
    private readonly ulong _generations;
    private readonly int _most;
    private Slot[] _slots = [];
    private int _firstFree = -1;

    /// <param name="idBits">Bits of an id, at least 4.</param>
    public SlotTable(int idBits)
    {
        _slotBits = Math.Clamp(idBits / 2, 2, 16);
        _generations = idBits - _slotBits >= 63 ? ulong.MaxValue >> 1 : (1UL << (idBits - _slotBits)) - 1;
        _most = 1 << _slotBits;
    }

    /// <summary>Slots made so far.</summary>
    public int Count => _slots.Length;

    /// <summary>Slots that are in use, abandoned ones among them.</summary>
    public int Used { get; private set; }

    /// <summary>Slots of requests that nobody waits for any more, and whose answers may still come.</summary>
    public int Abandoned { get; private set; }

    public bool IsFull => Used == _most;

    /// <summary>Abandoned requests take a quarter of all ids, or more.</summary>
    public bool IsWorn => Abandoned >= _most / 4;

    /// <summary>All ids are taken, and most of them for nothing.</summary>
    public bool IsSpent => IsFull && Abandoned > _most / 2;

    public ref Pending<TCodec> this[int slot] => ref _slots[slot].Pending;

    /// <summary>Stopwatch ticks that do not count of the time of a slot's request.</summary>
    public ref long Excused(int slot) => ref _slots[slot].Excused;

    public bool IsUsed(int slot) => _slots[slot].IsUsed;

    /// <summary>Whether nobody waits for a slot's request any more.</summary>
    public bool IsAbandoned(int slot) => _slots[slot].IsAbandoned;

    /// <summary>An id for the next request; it is in use from <see cref="Add"/> on.</summary>
    public bool TryReserve(out ulong id)
    {
        if (_firstFree < 0 && !Grow())
        {
            id = 0;
            return false;
        }

        ref Slot slot = ref _slots[_firstFree];
        slot.Generation = slot.Generation >= _generations ? 1 : slot.Generation + 1;
        id = (slot.Generation << _slotBits) | (uint)_firstFree;
        return true;
    }

    /// <summary>Uses the slot whose id was given last.</summary>
    public ref Pending<TCodec> Add()
    {
        ref Slot slot = ref _slots[_firstFree];
        _firstFree = slot.NextFree;
        (slot.IsUsed, slot.Excused) = (true, 0);
        Used++;
        return ref slot.Pending;
    }

    /// <summary>The slot of an id; -1 when the request is over, or never was.</summary>
    public int Find(ulong id)
    {
        int number = (int)(id & (uint)(_most - 1));
        return number < _slots.Length && _slots[number].IsUsed && _slots[number].Generation == id >> _slotBits ? number : -1;
    }

    /// <summary>Nobody waits for a request any more: its slot stays in use, and holds nothing of it, until its answer came.</summary>
    public void Abandon(int number)
    {
        ref Slot slot = ref _slots[number];
        slot.Pending = default;
        Abandoned += slot.IsAbandoned ? 0 : 1;
        slot.IsAbandoned = true;
    }

    /// <summary>A request is over.</summary>
    public void Free(int number)
    {
        ref Slot slot = ref _slots[number];
        slot.Pending = default;
        Abandoned -= slot.IsAbandoned ? 1 : 0;
        (slot.IsUsed, slot.IsAbandoned) = (false, false);
        slot.NextFree = _firstFree;
        _firstFree = number;
        Used--;
    }

    private bool Grow()
    {
        int before = _slots.Length;
        int after = Math.Min(_most, Math.Max(4, before * 2));
        if (after == before)
        {
            return false;
        }

        Array.Resize(ref _slots, after);
        for (int i = after - 1; i >= before; i--)
        {
            _slots[i].NextFree = _firstFree;
            _firstFree = i;
        }

        return true;
    }

    private struct Slot
    {
        public Pending<TCodec> Pending;
        public ulong Generation;
        public long Excused;
        public int NextFree;
        public bool IsUsed;
        public bool IsAbandoned;
    }
}

namespace MeshL4.L4Proxy.Lifecycle;

/// <summary>
/// Has what updates replace collected, beside the loops. Each update leaves a few kilobytes that have lived long enough to be looked at by
/// a whole collection only, and the runtime lets a heap about double before it makes one: a proxy that is told of something a hundred
/// times a second would grow for minutes. Not safe for several threads: updates come one after the other.
/// </summary>
internal sealed class ReplacedMemory
{
    /// <summary>Bytes not worth a collection.</summary>
    private const long Little = 4 << 20;

    /// <summary>By which part of itself the heap may grow.</summary>
    private const int Part = 16;

    private static readonly GCKind[] WholeCollections = [GCKind.Background, GCKind.FullBlocking];

    private readonly Func<long> _held;
    private readonly Func<(long Number, long Kept)> _last;
    private readonly Func<int> _begun;
    private readonly Action _collect;
    private long _limit;
    private int _counted = -1;
    private long _seen = -1;
    private bool _isAsked;

    public ReplacedMemory()
        : this(
            static () => GC.GetTotalMemory(forceFullCollection: false), LastWhole, static () => GC.CollectionCount(GC.MaxGeneration),
            static () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false))
    {
    }

    /// <summary>For tests.</summary>
    /// <param name="held">Bytes of the heap now, garbage included.</param>
    /// <param name="last">The last whole collection that has ended, and the bytes it left.</param>
    /// <param name="begun">How many whole collections there were, with one that has not ended.</param>
    /// <param name="collect">Begins one and does not wait.</param>
    internal ReplacedMemory(Func<long> held, Func<(long Number, long Kept)> last, Func<int> begun, Action collect)
        => (_held, _last, _begun, _collect) = (held, last, begun, collect);

    /// <summary>An update was taken.</summary>
    public void Swapped()
    {
        int begun = _begun();
        if (begun == _counted && _held() <= _limit)
        {
            return;
        }

        (long number, long kept) = _last();
        if (number != _seen)
        {
            (_seen, _limit, _isAsked, _counted) = (number, kept + Math.Max(Little, kept / Part), false, begun);
        }

        if (!_isAsked && _held() > _limit)
        {
            _isAsked = true;
            _collect();
        }
    }

    private static (long Number, long Kept) LastWhole()
    {
        GCMemoryInfo last = WholeCollections.Select(GC.GetGCMemoryInfo).MaxBy(static one => one.Index);
        return (last.Index, last.HeapSizeBytes - last.FragmentedBytes);
    }
}

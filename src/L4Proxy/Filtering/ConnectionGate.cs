using System.Runtime.CompilerServices;

namespace MeshL4.L4Proxy.Filtering;

/// <summary>Counts downstream connections of the process against a limit, by default half of the descriptors there are.</summary>
internal sealed class ConnectionGate(long limit)
{
    private long _active;
    private long _refused;

    public long Limit { get; } = limit;

    public long Active => Volatile.Read(ref _active);

    public long Refused => Volatile.Read(ref _refused);

    public bool TryEnter()
    {
        if (TryTake(ref _active, Limit))
        {
            return true;
        }

        Interlocked.Increment(ref _refused);
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _active);

    /// <summary>Takes one of <paramref name="limit"/> shared places; the caller gives it back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryTake(ref long active, long limit)
    {
        if (Interlocked.Increment(ref active) <= limit)
        {
            return true;
        }

        Interlocked.Decrement(ref active);
        return false;
    }
}

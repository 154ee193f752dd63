using System.Diagnostics;

namespace MeshL4.Interceptor.Verify;

/// <summary>How long packets are waited for. Only time in which we looked counts: on a slow machine a process may stand still for longer
/// than any packet takes, and then has to look before it may say that nothing came.</summary>
/// <param name="limit">How long.</param>
/// <param name="mostPerLook">No look counts for more.</param>
internal sealed class Patience(TimeSpan limit, TimeSpan mostPerLook)
{
    private TimeSpan _spent;
    private long? _last;

    /// <summary>Is it at its end?</summary>
    public bool IsSpent => _spent >= limit;

    /// <summary>Says that we looked now. The first time starts the clock.</summary>
    public void Looked() => Looked(Stopwatch.GetTimestamp());

    /// <summary>The same at a time of <see cref="Stopwatch"/>.</summary>
    internal void Looked(long now)
    {
        if (_last is long last)
        {
            TimeSpan passed = Stopwatch.GetElapsedTime(last, now);
            _spent += passed < mostPerLook ? passed : mostPerLook;
        }

        _last = now;
    }
}

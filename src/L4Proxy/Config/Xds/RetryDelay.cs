namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Exponential back-off with full jitter: each wait is drawn from zero to the bound, so that a fleet does not come back as one.</summary>
/// <param name="random">Gives numbers from 0 to below 1.</param>
internal sealed class RetryDelay(Func<double> random)
{
    /// <summary>Bound of the first wait.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);

    /// <summary>Bound of the waits it grows to.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private TimeSpan _bound = First;

    /// <summary>The next wait; the bound doubles.</summary>
    public TimeSpan Next()
    {
        TimeSpan wait = _bound * random();
        _bound = _bound * 2 < Longest ? _bound * 2 : Longest;
        return wait;
    }

    /// <summary>The server has answered: the next failure starts from the beginning.</summary>
    public void Reset() => _bound = First;
}

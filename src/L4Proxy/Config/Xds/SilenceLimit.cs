namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Bounds how long the first request of a stream goes without an answer when there is another server to ask. The bound doubles with
/// every round in which no server answers: one that is slow gets its time, and one that has nothing to say is not left for ever.
/// </summary>
/// <param name="first">The bound in the first round; infinite for none.</param>
/// <param name="time">Measures it.</param>
internal sealed class SilenceLimit(TimeSpan first, TimeProvider time)
{
    /// <summary>The longest bound it grows to.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly TimeSpan _first = first;
    private TimeSpan _limit = first;
    private ITimer? _timer;

    /// <summary>Begins to wait with the first request of a stream; later calls change nothing.</summary>
    /// <param name="over">Told with the reason, on a pool thread.</param>
    public void Begin(Action<string> over)
    {
        if (_limit != Timeout.InfiniteTimeSpan && _timer is null)
        {
            string reason = $"no answer within {_limit.TotalSeconds:0.##} s";
            _timer = time.CreateTimer(_ => over(reason), null, _limit, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>The stream is over.</summary>
    public void End()
    {
        _timer?.Dispose();
        _timer = null;
    }

    /// <summary>A server has answered.</summary>
    public void Answered()
    {
        End();
        _limit = _first;
    }

    /// <summary>No server has answered: all get more time.</summary>
    public void NextRound()
    {
        if (_limit != Timeout.InfiniteTimeSpan)
        {
            _limit = _limit * 2 < Longest ? _limit * 2 : Longest;
        }
    }
}

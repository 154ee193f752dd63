namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Bounds how long the first request of a stream goes without an answer when there is another server to ask. The bound doubles with
/// every round in which no server answers: one that is slow gets its time. One that has nothing to say is silent by right, and is not left
/// time and again: see <see cref="MayBeSilent"/>.
/// </summary>
/// <param name="first">The bound in the first round; infinite for none.</param>
/// <param name="time">Measures it.</param>
internal sealed class SilenceLimit(TimeSpan first, TimeProvider time)
{
    /// <summary>The longest bound it grows to.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly TimeSpan _first = first;
    private TimeSpan _limit = first;
    private readonly HashSet<DiscoveryServer> _heard = [];
    private bool _isLaterRound;
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

    /// <summary>
    /// Whether a server may leave the first request of a stream without an answer for ever. One that was heard before may: what it knows
    /// may have come by an earlier stream, and pings find out whether it lives. One that never was may when it is told versions, which can
    /// all be up to date; but first, once, another is asked.
    /// </summary>
    /// <param name="server">The server of the stream.</param>
    /// <param name="tellsVersions">Whether requests tell versions that are held.</param>
    public bool MayBeSilent(DiscoveryServer server, bool tellsVersions) => _heard.Contains(server) || (tellsVersions && _isLaterRound);

    /// <summary>A server has answered.</summary>
    public void Answered(DiscoveryServer server)
    {
        End();
        _heard.Add(server);
        _isLaterRound = false;
        _limit = _first;
    }

    /// <summary>No server has answered: all get more time.</summary>
    public void NextRound()
    {
        _isLaterRound = true;
        if (_limit != Timeout.InfiniteTimeSpan)
        {
            _limit = _limit * 2 < Longest ? _limit * 2 : Longest;
        }
    }
}

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Remembers that a stream ended at a response that cannot be taken: the next brings it again, behind answers that are good. Waits go on
/// growing until a stream ends otherwise, or is healthy for <see cref="Health"/>.
/// </summary>
/// <param name="time">Measures that.</param>
internal sealed class SpoiltStream(TimeProvider time)
{
    /// <summary>How long a stream goes on behind its first answer before what spoilt the one before counts as over.</summary>
    public static readonly TimeSpan Health = TimeSpan.FromMinutes(1);

    private Spell? _spell;

    /// <summary>Whether what spoilt a stream may still come.</summary>
    public bool IsSpoilt { get; private set; }

    /// <summary>A stream ended at a response that cannot be taken.</summary>
    public void Spoil() => IsSpoilt = true;

    /// <summary>A stream was answered; <paramref name="healthy"/> is told, on a pool thread, when it has been healthy for long enough.</summary>
    public void Answered(Action healthy)
    {
        if (IsSpoilt && _spell is null)
        {
            _spell = new Spell(time, healthy);
        }
    }

    /// <summary>True once when the present stream has been healthy for long enough.</summary>
    public bool TryRecover()
    {
        if (!IsSpoilt || _spell is not { IsLong: true })
        {
            return false;
        }

        IsSpoilt = false;
        return true;
    }

    /// <summary>A stream that was answered ended otherwise.</summary>
    public void Recover() => IsSpoilt = false;

    /// <summary>The stream is over.</summary>
    public void End()
    {
        _spell?.Dispose();
        _spell = null;
    }

    /// <summary>The health of one stream: the timer of one before has no say in it.</summary>
    private sealed class Spell : IDisposable
    {
        private readonly ITimer _timer;
        private volatile bool _isLong;

        public Spell(TimeProvider time, Action healthy) => _timer = time.CreateTimer(
            _ =>
            {
                _isLong = true;
                healthy();
            },
            null, Health, Timeout.InfiniteTimeSpan);

        public bool IsLong => _isLong;

        public void Dispose() => _timer.Dispose();
    }
}

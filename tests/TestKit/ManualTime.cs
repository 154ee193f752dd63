namespace MeshL4.TestKit;

/// <summary>Time that passes when a test says so. Timers fire on the thread that lets it pass, in the order in which they are due.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _access = new();
    private readonly List<ManualTimer> _timers = [];
    private TimeSpan _now;

    /// <summary>Timers that are set now.</summary>
    public int Pending
    {
        get
        {
            lock (_access)
            {
                return _timers.Count;
            }
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_access)
        {
            return DateTimeOffset.UnixEpoch + _now;
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets time pass, and everything happen that is due by then.</summary>
    public void Advance(TimeSpan by)
    {
        TimeSpan end;
        lock (_access)
        {
            end = _now + by;
        }

        while (Next(end) is { } due)
        {
            due.Fire();
        }
    }

    private ManualTimer? Next(TimeSpan end)
    {
        lock (_access)
        {
            ManualTimer? due = _timers.Where(timer => timer.Due <= end).MinBy(static timer => timer.Due);
            _now = due?.Due ?? end;
            _timers.Remove(due!);
            return due;
        }
    }

    private void Set(ManualTimer timer, TimeSpan dueTime)
    {
        lock (_access)
        {
            _timers.Remove(timer);
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                timer.Due = _now + dueTime;
                _timers.Add(timer);
            }
        }
    }

    /// <summary>Fires once: nothing here has a period.</summary>
    private sealed class ManualTimer(ManualTime time, Action fire) : ITimer
    {
        public TimeSpan Due { get; set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time.Set(this, dueTime);
            return true;
        }

        public void Dispose() => time.Set(this, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}

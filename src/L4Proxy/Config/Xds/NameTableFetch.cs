namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>The wait for the first table of names: bounded, and none before it is asked for.</summary>
internal sealed class NameTableFetch : IDisposable
{
    private volatile TaskCompletionSource? _done;
    private Timer? _timer;

    /// <summary>Ends with the first table or its time; ended before <see cref="Begin"/>.</summary>
    public Task Done => _done?.Task ?? Task.CompletedTask;

    /// <summary>For /init_dump.</summary>
    public IReadOnlyList<string> Waiting => Done.IsCompleted ? [] : ["nds"];

    /// <summary>Begins to wait.</summary>
    /// <param name="wait">The bound; zero for ever.</param>
    /// <param name="timedOut">Told when it passes.</param>
    public void Begin(TimeSpan wait, Action timedOut)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _done = done;
        if (wait > TimeSpan.Zero)
        {
            _timer = new Timer(_ => Expire(done, timedOut), null, wait, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>A response of a type was applied, or refused: the server is there and has spoken.</summary>
    public void Answered(string typeUrl)
    {
        if (typeUrl == TypeUrls.NameTable)
        {
            _done?.TrySetResult();
        }
    }

    public void Dispose() => _timer?.Dispose();

    private static void Expire(TaskCompletionSource done, Action timedOut)
    {
        if (done.TrySetResult())
        {
            timedOut();
        }
    }
}

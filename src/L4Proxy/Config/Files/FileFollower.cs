namespace MeshL4.L4Proxy.Config.Files;

/// <summary>Looks at all followed files on one background task.</summary>
/// <param name="sink">Takes the updates.</param>
/// <param name="unreadable">Told once per spell with type URL, path and reason when a file cannot be read.</param>
internal sealed class FileFollower(IResourceSink sink, Action<string, string, string> unreadable) : IDisposable
{
    /// <summary>Time between two looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly Lock _access = new();
    private readonly CancellationTokenSource _stop = new();
    private List<FileSource> _sources = [];

    /// <summary>
    /// Follows the given files beside those followed for other types; new ones are read, and the resources of those not followed any more
    /// removed, before it returns.
    /// </summary>
    public void Follow(string typeUrl, IEnumerable<string> paths)
    {
        var wanted = paths.ToHashSet(StringComparer.Ordinal);
        List<FileSource> added;
        List<FileSource> gone;
        lock (_access)
        {
            var known = _sources.Where(source => source.TypeUrl == typeUrl).Select(source => source.Path).ToHashSet(StringComparer.Ordinal);
            added = [.. wanted.Where(path => !known.Contains(path)).Select(path => New(typeUrl, path))];
            gone = [.. _sources.Where(source => source.TypeUrl == typeUrl && !wanted.Contains(source.Path))];
            _sources = [.. _sources.Except(gone), .. added];
        }

        gone.ForEach(static source => source.Leave());

        foreach (FileSource source in added)
        {
            source.Look(settled: true);
        }
    }

    /// <summary>Looks at every file once.</summary>
    public void LookAtAll()
    {
        List<FileSource> sources;
        lock (_access)
        {
            sources = _sources;
        }

        foreach (FileSource source in sources)
        {
            try
            {
                source.Look();
            }
#pragma warning disable CA1031 // A defect met in one file must not end the following of all.
            catch (Exception defect) when (defect is not OperationCanceledException)
#pragma warning restore CA1031
            {
                unreadable(source.TypeUrl, source.Path, $"internal error: {defect.GetType().Name}: {defect.Message}");
            }
        }
    }

    /// <summary>Begins to look every <see cref="Interval"/>.</summary>
    public void Start() => _ = Task.Run(async () =>
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                LookAtAll();
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed.
        }
    });

    public void Dispose() => _stop.Cancel();

    private FileSource New(string typeUrl, string path) => new(path, typeUrl, sink, reason => unreadable(typeUrl, path, reason));
}

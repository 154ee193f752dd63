using System.Collections.Concurrent;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Figures of one stream.</summary>
internal sealed class DiscoveryMetrics
{
    private readonly ConcurrentDictionary<string, TypeCounters> _types = new(StringComparer.Ordinal);
    private volatile string _identifier = "";
    private int _connected;
    private long _attempts;
    private long _notAskedFor;
    private long _notTaken;

    /// <summary>Whether the present stream was answered.</summary>
    public bool IsConnected => Volatile.Read(ref _connected) == 1;

    /// <summary>What the control plane calls itself.</summary>
    public string Identifier => _identifier;

    /// <summary>A stream is being opened.</summary>
    public void Attempt() => Interlocked.Increment(ref _attempts);

    /// <summary>A type is asked for on a new stream.</summary>
    public void Attempt(string typeUrl) => Interlocked.Increment(ref Of(typeUrl).Attempts);

    public void Connected(string identifier)
    {
        Volatile.Write(ref _connected, 1);
        if (identifier.Length > 0)
        {
            _identifier = identifier;
        }
    }

    public void Disconnected()
    {
        if (Interlocked.Exchange(ref _connected, 0) == 0)
        {
            foreach (TypeCounters type in _types.Values)
            {
                Interlocked.Increment(ref type.Failures);
            }
        }
    }

    /// <summary>A response of a type nobody asked for.</summary>
    public void NotAskedFor() => Interlocked.Increment(ref _notAskedFor);

    /// <summary>A response cannot be read, or met a defect of ours: the stream ended at it.</summary>
    public void NotTaken() => Interlocked.Increment(ref _notTaken);

    /// <summary>A response was taken, or with <paramref name="reasons"/> refused in whole or part.</summary>
    public void Updated(DiscoveryUpdate update, string? reasons)
    {
        TypeCounters type = Of(update.TypeUrl);
        if (reasons is null)
        {
            Interlocked.Increment(ref type.Successes);
            type.VersionText = update.Version;
            return;
        }

        Interlocked.Increment(ref type.Rejections);
    }

    /// <summary>The time for a first response ran out.</summary>
    public void FetchTimedOut(string typeUrl) => Interlocked.Increment(ref Of(typeUrl).FetchTimeouts);

    /// <summary>Takes over the counts of a stream that is no more.</summary>
    public void Absorb(DiscoveryMetrics gone)
    {
        Interlocked.Add(ref _attempts, Volatile.Read(ref gone._attempts));
        Interlocked.Add(ref _notAskedFor, Volatile.Read(ref gone._notAskedFor));
        Interlocked.Add(ref _notTaken, Volatile.Read(ref gone._notTaken));
        foreach ((string typeUrl, TypeCounters type) in gone._types)
        {
            Of(typeUrl).Add(type);
        }
    }

    /// <summary>Adds these figures to those of other streams.</summary>
    /// <param name="totals">Takes them.</param>
    /// <param name="isAwaited">Whether something is wanted of this stream, and its server does not answer.</param>
    public void AddTo(DiscoveryTotals totals, bool isAwaited)
    {
        totals.Stream(IsConnected, isAwaited, _identifier);
        totals.Responses(Volatile.Read(ref _attempts), Volatile.Read(ref _notAskedFor), Volatile.Read(ref _notTaken));
        foreach ((string typeUrl, TypeCounters type) in _types)
        {
            totals.Type(typeUrl, new TypeFigures(
                Volatile.Read(ref type.Attempts), Volatile.Read(ref type.Successes), Volatile.Read(ref type.Rejections), Volatile.Read(ref type.Failures),
                Volatile.Read(ref type.FetchTimeouts), type.VersionText));
        }
    }

    private TypeCounters Of(string typeUrl) => _types.GetOrAdd(typeUrl, static _ => new TypeCounters());

    private sealed class TypeCounters
    {
        public long Attempts;
        public long Successes;
        public long Rejections;
        public long Failures;
        public long FetchTimeouts;
        public volatile string VersionText = "";

        public void Add(TypeCounters more)
        {
            Interlocked.Add(ref Attempts, Volatile.Read(ref more.Attempts));
            Interlocked.Add(ref Successes, Volatile.Read(ref more.Successes));
            Interlocked.Add(ref Rejections, Volatile.Read(ref more.Rejections));
            Interlocked.Add(ref Failures, Volatile.Read(ref more.Failures));
            Interlocked.Add(ref FetchTimeouts, Volatile.Read(ref more.FetchTimeouts));
        }
    }
}

using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// The order of the start: clusters are asked for first, listeners when the first clusters are warm, so that no listener opens
/// before what it forwards to. Each wait has the bound of its source.
/// </summary>
/// <param name="clusters">Source of clusters; null when none is a stream.</param>
/// <param name="listeners">Source of listeners; null when none is a stream.</param>
/// <param name="ask">Subscribes to everything of a type.</param>
/// <param name="timedOut">Told when a first answer did not come in time.</param>
internal sealed class InitialFetch(
    StreamSourceConfig? clusters, StreamSourceConfig? listeners, Action<string, StreamSourceConfig> ask, Action<string, StreamSourceConfig> timedOut) : IDisposable
{
    private readonly Lock _access = new();
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly OneShotTimers _timers = new();
    private bool _started;
    private bool _warm;
    private bool _listenersWarm = true;
    private bool _clustersDone = clusters is null;
    private bool _listenersAsked = listeners is null;
    private bool _listenersDone = listeners is null;

    /// <summary>Ends when both were answered, or had their time, and clusters and listeners are warm.</summary>
    public Task Done => _done.Task;

    /// <summary>What is waited for now, for /init_dump.</summary>
    public IReadOnlyList<string> Waiting
    {
        get
        {
            lock (_access)
            {
                return [.. _clustersDone ? Enumerable.Empty<string>() : ["cds"], .. _listenersDone ? Enumerable.Empty<string>() : ["lds"]];
            }
        }
    }

    public void Start()
    {
        lock (_access)
        {
            _started = true;
        }

        if (clusters is not null)
        {
            ask(TypeUrls.Cluster, clusters);
            Limit(TypeUrls.Cluster, clusters);
        }

        Advance();
    }

    /// <summary>A first response of a type was applied.</summary>
    public void Answered(string typeUrl)
    {
        lock (_access)
        {
            _clustersDone |= typeUrl == TypeUrls.Cluster;
            _listenersDone |= typeUrl == TypeUrls.Listener;
        }

        Advance();
    }

    /// <summary>Whether all clusters, and all listeners, held now have what they need.</summary>
    public void Warm(bool clustersWarm, bool listenersWarm)
    {
        lock (_access)
        {
            (_warm, _listenersWarm) = (clustersWarm, listenersWarm);
        }

        Advance();
    }

    public void Dispose() => _timers.Dispose();

    private void Advance()
    {
        bool askListeners;
        lock (_access)
        {
            askListeners = _started && _clustersDone && _warm && !_listenersAsked;
            _listenersAsked |= askListeners;
            if (_started && _clustersDone && _listenersDone && _warm && _listenersWarm)
            {
                _done.TrySetResult();
            }
        }

        if (askListeners)
        {
            ask(TypeUrls.Listener, listeners!);
            Limit(TypeUrls.Listener, listeners!);
        }
    }

    private void Limit(string typeUrl, StreamSourceConfig source)
    {
        if (source.FirstFetch > TimeSpan.Zero)
        {
            _timers.Start(source.FirstFetch, () => Expire(typeUrl, source));
        }
    }

    private void Expire(string typeUrl, StreamSourceConfig source)
    {
        lock (_access)
        {
            if (typeUrl == TypeUrls.Cluster ? _clustersDone : _listenersDone)
            {
                return;
            }
        }

        timedOut(typeUrl, source);
        Answered(typeUrl);
    }
}

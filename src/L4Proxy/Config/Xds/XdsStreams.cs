using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// All streams of the process: the aggregated one and those of single types. Decides what is asked for and when: clusters first, the
/// endpoints they name, and listeners once the first clusters are warm.
/// </summary>
internal sealed class XdsStreams : IMetricSource, IDisposable
{
    private static readonly TimeSpan ShortestSilence = TimeSpan.FromSeconds(1);

    private readonly BootstrapConfig _config;
    private readonly ResourceSink _sink;
    private readonly ControlPlaneDialer _dialer;
    private readonly ILogger _log;
    private readonly Node _node;
    private readonly StreamTable _clients;
    private readonly EndpointDemand _endpoints;
    private readonly InitialFetch _initial;
    private readonly LastKnownGood? _lastKnownGood;
    private readonly NameTableFetch _names = new();
    private volatile IReadOnlyList<string> _warming = [];
    private volatile IReadOnlyList<string> _warmingListeners = [];
    private int _useDue;

    private XdsStreams(BootstrapConfig config, ResourceSink sink, SnapshotStore store, ConfigLedger ledger, ILoggerFactory loggers)
    {
        _config = config;
        _sink = sink;
        _dialer = new ControlPlaneDialer(store, config.TokenFile, config.Clusters.OfType<Protos.Envoy.Config.Cluster.V3.Cluster>());
        _log = loggers.CreateLogger("config");
        _node = NodeIdentity.Of(config.Node);
        _clients = new StreamTable(sink.Exclusively);
        _endpoints = new EndpointDemand(sink, ClientOfEndpoints, config.Ads is not null, _log);
        _initial = new InitialFetch(config.ClusterStream, config.ListenerStream, Ask, TimedOut);
        Lazy = config.LazyEndpoints is { } lazy ? new LazyEndpoints(lazy.Hold, lazy.Idle, store) { Changed = FollowUse, CanAsk = IsHeard } : null;
        _lastKnownGood = config.SnapshotFile is { } file ? new LastKnownGood(file, ledger, sink, OwnerOf, Loaded, _log) : null;
    }

    /// <summary>Which clusters are used, when endpoints are subscribed to by the first connection; null when they always are.</summary>
    public LazyEndpoints? Lazy { get; }

    /// <summary>Ends when clusters, listeners and, if asked for, names were answered once, or had their time.</summary>
    public Task Initialized => Task.WhenAll(_initial.Done, _names.Done);

    /// <summary>False while the first table of names may still come.</summary>
    public bool AreNamesSettled => _names.Done.IsCompleted;

    /// <summary>The file of the last good resources; null when none is configured.</summary>
    public LastKnownGoodState? LastKnownGood => _lastKnownGood?.State;

    /// <summary>Told with type, source and names when a server says that it does not have resources that are named by others.</summary>
    public Action<string, string, IReadOnlyCollection<string>>? Unavailable { get; set; }

    /// <summary>What is waited for: types not answered yet, clusters without first endpoints, and listeners without what they name, by who waits.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Unready => new Dictionary<string, IReadOnlyList<string>>
    {
        ["server"] = [.. _initial.Waiting, .. _names.Waiting], ["cluster_manager"] = _warming, ["listener_manager"] = _warmingListeners,
    };

    /// <summary>Null when the bootstrap names nothing dynamic.</summary>
    /// <param name="config">The bootstrap.</param>
    /// <param name="named">Whether a static resource names one of a stream.</param>
    /// <param name="sink">Takes what comes.</param>
    /// <param name="store">Has the clusters through which control planes are reached.</param>
    /// <param name="ledger">Knows what runs.</param>
    /// <param name="loggers">The component is <c>config</c>.</param>
    public static XdsStreams? Create(BootstrapConfig config, bool named, ResourceSink sink, SnapshotStore store, ConfigLedger ledger, ILoggerFactory loggers)
        => config.Ads is null && config.ListenerStream is null && config.ClusterStream is null && config.ListenerFile is null && config.ClusterFile is null && !named
            ? null : new XdsStreams(config, sink, store, ledger, loggers);

    /// <summary>Begins to connect.</summary>
    public void Start()
    {
        _clients.Start();
        _initial.Start();
        _lastKnownGood?.Start();
    }

    /// <summary>Asks for the names of the mesh. Without an aggregated stream there are none, and nothing is waited for.</summary>
    /// <param name="wait">How long the start, and questions, wait for the first table; zero for ever.</param>
    public void FollowNames(TimeSpan wait)
    {
        if (_config.Ads is not null)
        {
            var source = new StreamSourceConfig(null, wait);
            _names.Begin(wait, () => ClientOf(TypeUrls.NameTable, source)?.Metrics.FetchTimedOut(TypeUrls.NameTable));
            Ask(TypeUrls.NameTable, source);
        }
    }

    /// <summary>Under the sink's lock, after each change of clusters: asks for the endpoints that the held ones name.</summary>
    public void Follow(SnapshotBuilder builder) => _endpoints.Follow(builder);

    /// <summary>Under the sink's lock, after each change: which clusters wait for their first endpoints now, and which listeners for what they name.</summary>
    public void Warmed(IReadOnlyList<string> clusters, IReadOnlyList<string> listeners)
    {
        (_warming, _warmingListeners) = (clusters, listeners);
        _initial.Warm(clusters.Count == 0, listeners.Count == 0);
    }

    /// <summary>A first answer of a type did not come in time.</summary>
    public void TimedOut(string typeUrl, StreamSourceConfig source)
    {
        if (_clients.TryGetValue(source.SourceOf(typeUrl), out DiscoveryClient? client))
        {
            client.Metrics.FetchTimedOut(typeUrl);
        }
    }

    public void Collect(IMetricVisitor visitor)
    {
        var totals = new DiscoveryTotals();
        _clients.Departed.AddTo(totals, isAwaited: false);
        foreach (DiscoveryClient client in _clients.Values.OrderBy(static client => client.Source, StringComparer.Ordinal))
        {
            client.Metrics.AddTo(totals, isAwaited: !client.IsHeard());
        }

        totals.Collect(visitor);
    }

    public void Dispose()
    {
        _clients.Dispose();
        _endpoints.Dispose();
        Lazy?.Dispose();
        _initial.Dispose();
        _names.Dispose();
        _lastKnownGood?.Dispose();
    }

    private void Ask(string typeUrl, StreamSourceConfig source)
    {
        DiscoveryClient? client = ClientOf(typeUrl, source);
        client?.Find(typeUrl)?.WantAll();
        client?.Wake();
    }

    private DiscoveryClient? ClientOfEndpoints(StreamSourceConfig source) => ClientOf(TypeUrls.Endpoints, source);

    /// <summary>The stream of a type from a source; null when that is the aggregated one and the bootstrap has none.</summary>
    public DiscoveryClient? ClientOf(string typeUrl, StreamSourceConfig source)
    {
        if ((source.Api ?? _config.Ads) is not { } plane)
        {
            return null;
        }

        string key = source.SourceOf(typeUrl);
        return _clients.GetOrAdd(key, () => NewClient(plane, source, source.Api is null ? null : typeUrl, key));
    }

    private (DiscoveryClient Client, IDisposable Receiver) NewClient(ControlPlaneConfig plane, StreamSourceConfig asked, string? typeUrl, string source)
    {
        IDiscoveryVariant variant = plane.Delta ? new DeltaVariant() : new SotwVariant();
        string name = typeUrl is null ? DiscoveryMethods.Aggregated : DiscoveryMethods.ShortName(typeUrl);
        string[] types = typeUrl is null
            ? [TypeUrls.Cluster, TypeUrls.Endpoints, TypeUrls.Listener, TypeUrls.NameTable, .. DiscoveredResources.Types] : [typeUrl];
        var options = new DiscoveryClientOptions
        {
            Name = name,
            Source = source,
            Method = DiscoveryMethods.Of(typeUrl, variant),
            Variant = variant,
            Servers = [.. plane.Servers.Select(_dialer.Server)],
            Subscriptions = [.. types.Select(type => new Subscription(type))],
            Node = _node,
            NodeOnFirstMessageOnly = plane.NodeOnFirstMessageOnly,
            Metrics = new DiscoveryMetrics(),
            Silence = SilenceOf(plane, asked),
        };
        var receiver = new UpdateReceiver(source, _sink, (subscription, update) => Applied(source, subscription, update));
        return (new DiscoveryClient(options, receiver, _log), receiver);
    }

    /// <summary>Every server is asked before the wait for a first answer is over.</summary>
    private static TimeSpan SilenceOf(ControlPlaneConfig plane, StreamSourceConfig asked)
    {
        TimeSpan wait = asked.FirstFetch > TimeSpan.Zero ? asked.FirstFetch : StreamSourceConfig.DefaultFirstFetch;
        TimeSpan share = wait / plane.Servers.Length;
        return plane.Servers.Length < 2 ? Timeout.InfiniteTimeSpan : share > ShortestSilence ? share : ShortestSilence;
    }

    private void Applied(string source, Subscription subscription, DiscoveryUpdate update)
    {
        _lastKnownGood?.Updated();
        _initial.Answered(subscription.TypeUrl);
        _names.Answered(subscription.TypeUrl);
        if (subscription.TypeUrl == TypeUrls.Endpoints && update.Unavailable.Count > 0)
        {
            _endpoints.GiveUp(source, [.. update.Unavailable.Select(one => one.Key)], "the server does not have them");
        }
        else if (update.Unavailable.Count > 0 && DiscoveredResources.Types.Contains(subscription.TypeUrl))
        {
            Unavailable?.Invoke(subscription.TypeUrl, source, [.. update.Unavailable.Select(one => one.Key)]);
        }
    }

    /// <summary>Listeners, clusters and names are those of the stream that the bootstrap names now; the others are found by their source.</summary>
    private string? OwnerOf(string typeUrl, string saved) => typeUrl switch
    {
        TypeUrls.Cluster => _config.ClusterStream?.SourceOf(typeUrl),
        TypeUrls.Listener => _config.ListenerStream?.SourceOf(typeUrl),
        TypeUrls.NameTable => _config.Ads is null ? null : DiscoveryMethods.Aggregated,
        _ => saved,
    };

    /// <summary>Resources from disk run: the start waits for nobody any more.</summary>
    private void Loaded()
    {
        _initial.Answered(TypeUrls.Cluster);
        _initial.Answered(TypeUrls.Listener);
        _names.Answered(TypeUrls.NameTable);
    }

    /// <summary>Another set of clusters is used: one swap takes what follows from that, and all that came while it was waited for.</summary>
    private void FollowUse()
    {
        if (Interlocked.Exchange(ref _useDue, 1) == 0)
        {
            _sink.Together(() =>
            {
                Volatile.Write(ref _useDue, 0);
                _sink.Refresh(_endpoints.Follow);
            });
        }
    }

    /// <summary>Whether the control plane of this source of endpoints answers now.</summary>
    private bool IsHeard(string source) => !_clients.TryGetValue(source, out DiscoveryClient? client) || client.IsHeard(TypeUrls.Endpoints);
}

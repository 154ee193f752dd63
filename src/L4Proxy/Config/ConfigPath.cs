using System.Net;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Files;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.L4Proxy.Resolving;
using Microsoft.Extensions.Logging;
using BootstrapMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Bootstrap.V3.Bootstrap;

namespace MeshL4.L4Proxy.Config;

/// <summary>
/// The way of an update, composed: bootstrap, files and streams deliver to one sink; it applies the good, keeps the last good
/// version of the bad, notes both in the ledger, warms names and endpoint files, and swaps one snapshot.
/// </summary>
internal sealed class ConfigPath : IDisposable
{
    private static readonly AddressLifetimes Lifetimes = new("/etc/resolv.conf", TimeSpan.FromSeconds(2));

    private readonly ILogger _log;
    private readonly SnapshotStore _store;
    private readonly ILoggerFactory _loggers;
    private readonly SnapshotBuilder _builder;
    private readonly ResourceSink _sink;
    private readonly FileFollower _files;
    private readonly DnsResolution _names;
    private readonly NameDemand _demand;
    private readonly IssueCollector _startIssues = new();
    private XdsStreams? _streams;
    private long _followed = -1;
    private object? _needs;
    private int _refreshDue;
    private bool _starting = true;

    private ConfigPath(SnapshotStore store, ILoggerFactory loggers)
    {
        (_store, _loggers) = (store, loggers);
        _log = loggers.CreateLogger("config");
        Ledger = new ConfigLedger(TimeProvider.System);
        _names = new DnsResolution(new NameLookups(Dns.GetHostAddresses).AskAsync, RefreshSoon, (host, reason) => _log.LogWarning("{Host} does not resolve, its last addresses stay: {Reason}", host, reason), LifetimeAsync);
        _builder = new SnapshotBuilder(States, _names);
        _sink = new ResourceSink(_builder, Ledger, store, Warm, Tell);
        _files = new FileFollower(_sink, Unreadable);
        _demand = new NameDemand(_sink, (type, source) => _streams?.ClientOf(type, source), (type, source) => _streams?.TimedOut(type, source), _log);
    }

    public BootstrapSnapshot Bootstrap { get; private set; } = new();

    /// <summary>Settings of the DNS proxy; null when it is off.</summary>
    public DnsProxyConfig? DnsProxy { get; private set; }

    /// <summary>What runs and what was refused.</summary>
    public ConfigLedger Ledger { get; }

    /// <summary>Live state of clusters, also of removed ones that still have connections.</summary>
    public ClusterStateRegistry States { get; } = new();

    /// <summary>Where further sources deliver.</summary>
    public IResourceSink Sink => _sink;

    /// <summary>Ends when every source has answered once, or its time for that has run out.</summary>
    public Task Initialized => _streams?.Initialized ?? Task.CompletedTask;

    /// <summary>The streams to control planes; null when the bootstrap names none.</summary>
    public XdsStreams? Streams => _streams;

    /// <summary>
    /// Loads everything and begins to follow what changes. When it returns the first snapshot is in <paramref name="store"/>: files are
    /// read, and names answered or given up waiting for. Null when the bootstrap has an error: nothing was published.
    /// </summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="store">Takes every snapshot.</param>
    /// <param name="loggers">The component is <c>config</c>.</param>
    /// <param name="issues">Every error and warning of the start, of files too.</param>
    public static ConfigPath? Start(ProxyArguments arguments, SnapshotStore store, ILoggerFactory loggers, out IReadOnlyList<ConfigIssue> issues)
    {
        ConfigPath? path = Load(arguments, store, loggers, out issues);
        path?._files.Start();
        return path;
    }

    /// <summary>Begins to ask control planes. Whoever opens listeners follows the store by now: what cannot be opened is told to the server.</summary>
    public void Connect() => _streams?.Start();

    /// <summary>Loads everything once into a store of its own and follows nothing. Every error and warning is returned.</summary>
    public static IReadOnlyList<ConfigIssue> Validate(ProxyArguments arguments)
    {
        using ConfigPath? path = Load(arguments, new SnapshotStore(), Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance, out IReadOnlyList<ConfigIssue> issues);
        return issues;
    }

    public void Dispose()
    {
        _streams?.Dispose();
        _demand.Dispose();
        _files.Dispose();
        _names.Dispose();
    }

    private static ConfigPath? Load(ProxyArguments arguments, SnapshotStore store, ILoggerFactory loggers, out IReadOnlyList<ConfigIssue> issues)
    {
        var path = new ConfigPath(store, loggers);
        bool loaded = path.LoadAll(arguments);
        path._starting = false;
        if (loaded)
        {
            SnapshotRules.Check(path._builder.Preview(), path._startIssues);
        }

        issues = path._startIssues.Issues;
        foreach (ConfigIssue issue in issues)
        {
            path.Log(issue);
        }

        if (loaded)
        {
            return path;
        }

        path.Dispose();
        return null;
    }

    /// <summary>A bootstrap is taken whole or not at all: it is compiled aside before anything of it is delivered.</summary>
    private bool LoadAll(ProxyArguments arguments)
    {
        BootstrapMessage? message = BootstrapReader.Read(arguments, _startIssues);
        if (message is null)
        {
            return false;
        }

        BootstrapConfig config = BootstrapDecoder.Decode(message, new DecodeScope(_startIssues, "", null, arguments.ConfigPath));
        bool named = TryOut(config);
        if (_startIssues.HasErrors)
        {
            return false;
        }

        Bootstrap = config.Process;
        DnsProxy = config.Dns;
        Ledger.RecordBootstrap(config.Message);
        _builder.Handoff = config.Handoff;
        _builder.CodecRules = config.CodecRules;
        _streams = XdsStreams.Create(config, named, _sink, _store, Ledger, _loggers);
        _streams?.Unavailable = (type, source, names) => _demand.GiveUp(type, source, names, "the server does not have them");
        _builder.Lazy = _streams?.Lazy;
        _sink.Together(() =>
        {
            _sink.Deliver(Static(TypeUrls.Secret, "secrets", config.Secrets, new IssueCollector()));
            _sink.Deliver(Static(TypeUrls.Cluster, "clusters", config.Clusters, new IssueCollector()));
            _sink.Deliver(Static(TypeUrls.Listener, "listeners", config.Listeners, new IssueCollector()));
            _files.Follow(TypeUrls.Cluster, Paths(config.ClusterFile));
            _files.Follow(TypeUrls.Listener, Paths(config.ListenerFile));
        });

        // The one wait for names: at start nothing older serves. It has the bound of DnsResolution.
        _names.Settled.GetAwaiter().GetResult();
        _sink.Refresh();
        return true;
    }

    /// <summary>
    /// Applies the static resources to a builder of its own, so that all their issues are known before one of them runs. True when one
    /// of them names a resource of a stream.
    /// </summary>
    private bool TryOut(BootstrapConfig config)
    {
        var aside = new SnapshotBuilder(new ClusterStateRegistry(), _names);
        aside.Apply(Static(TypeUrls.Secret, "secrets", config.Secrets, _startIssues));
        aside.Apply(Static(TypeUrls.Cluster, "clusters", config.Clusters, _startIssues));
        aside.Apply(Static(TypeUrls.Listener, "listeners", config.Listeners, _startIssues));
        return aside.Needs.Any(static need => need.Stream is not null) || aside.Clusters.Any(static cluster => cluster.EdsStream is not null);
    }

    private static ResourceUpdate Static(string typeUrl, string list, IReadOnlyList<Google.Protobuf.IMessage> resources, IssueCollector issues)
        => new(typeUrl, "", ResourceTable<object>.StaticSource, OfferedResource.Of(resources), issues) { PathPrefix = "static_resources." + list };

    private static IEnumerable<string> Paths(FileSourceConfig? file) => file is null ? [] : [file.Path];

    /// <summary>Under the sink's lock: begins to follow what the held clusters name, and waits for nothing.</summary>
    private void Warm()
    {
        // Endpoints change far more often than clusters, and what clusters need is known from them alone.
        if (_followed != _builder.ClusterGeneration)
        {
            _followed = _builder.ClusterGeneration;
            _files.Follow(TypeUrls.Endpoints, _builder.EdsFiles.Select(file => file.Path));
            _names.Follow(_builder.Clusters.Select(cluster => cluster.Template));
            _streams?.Follow(_builder);
        }

        FollowNeeds();
        _streams?.Warmed(_builder.Warming, _builder.WarmingListeners);
    }

    /// <summary>What comes from a file names more in turn: two rounds reach everything, since nothing names what names.</summary>
    private void FollowNeeds()
    {
        for (int round = 0; round < 3 && !Equals(_needs, _builder.NeedsVersion); round++)
        {
            _needs = _builder.NeedsVersion;
            _demand.Follow(_builder);
            foreach (string type in DiscoveredResources.Types)
            {
                _files.Follow(type, _builder.Needs.Where(need => need.TypeUrl == type).Select(static need => need.File?.Path).OfType<string>());
            }

            Ledger.RecordRequested(_demand.Wanted);
        }
    }

    private static Task<AddressLife?> LifetimeAsync(string host, DnsLookupFamily family, string? before, CancellationToken cancellation)
        => Lifetimes.AskAsync(host, family != DnsLookupFamily.V6Only, family != DnsLookupFamily.V4Only, before, cancellation);

    /// <summary>Many names may answer at once: they share a swap.</summary>
    private void RefreshSoon()
    {
        if (Interlocked.Exchange(ref _refreshDue, 1) == 0)
        {
            Task.Run(() =>
            {
                Volatile.Write(ref _refreshDue, 0);
                _sink.Refresh();
            });
        }
    }

    private void Tell(ResourceUpdate update, UpdateVerdict verdict)
    {
        foreach (ConfigIssue issue in verdict.Issues)
        {
            // The bootstrap's own were gathered when it was tried out.
            if (_starting && update.Source != ResourceTable<object>.StaticSource)
            {
                _startIssues.Add(issue);
            }
            else if (!_starting)
            {
                Log(issue);
            }
        }
    }

    private void Unreadable(string typeUrl, string path, string reason)
    {
        var issues = new IssueCollector();
        issues.Add(new ConfigIssue(IssueSeverity.Error, "", $"cannot be read, the running configuration stays: {reason}", Origin: path));
        _sink.Deliver(new ResourceUpdate(typeUrl, "", path, [], issues));
    }

    private void Log(ConfigIssue issue)
    {
        LogLevel level = issue.Severity == IssueSeverity.Error ? LogLevel.Error : LogLevel.Warning;
        if (_log.IsEnabled(level))
        {
            _log.Log(level, "{Issue}", issue.ToString());
        }
    }
}

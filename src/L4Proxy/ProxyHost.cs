using MeshL4.Interceptor.Linux;
using MeshL4.L4Proxy.Admin;
using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Filtering;
using MeshL4.L4Proxy.Lifecycle;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using MeshL4.L4Proxy.Reporting.Logging;
using MeshL4.L4Proxy.Reporting.Metrics;
using MeshL4.L4Proxy.Resolving;
using MeshL4.L4Proxy.Sockets;
using MeshL4.L4Proxy.Terminating;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.L4Proxy.Upstream;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy;

/// <summary>Builds the process from its parts and runs it to its end: the whole composition is here.</summary>
internal sealed class ProxyHost : IAsyncDisposable
{
    private readonly ProxyArguments _arguments;
    private readonly CodecSet _codecs;
    private readonly LogSinks _sinks = new();
    private readonly LogLevels _levels;
    private readonly ProxyLoggerFactory _loggers;
    private readonly ILogger _log;
    private readonly SnapshotStore _snapshots = new();
    private readonly MetricsRegistry _metrics = new();
    private readonly DateTimeOffset _startTime = TimeProvider.System.GetUtcNow();
    private readonly ServerStateHolder _state = new();
    private readonly List<LoopWorker> _workers = [];
    private readonly LoopGuard _guard = new();
    private readonly TaskCompletionSource<ExitRequest> _exit = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private AdminServer? _admin;
    private ConfigPath? _config;
    private DnsProxy? _dns;

    private ProxyHost(ProxyArguments arguments, CodecSet codecs)
    {
        _arguments = arguments;
        _codecs = codecs;
        _levels = new LogLevels(arguments.LogLevel);
        foreach ((string component, LogLevel level) in arguments.ComponentLogLevels)
        {
            _levels.Of(component).Level = level;
        }

        _loggers = ProxyLoggerFactory.ToStandardError(_levels, _sinks);
        _log = _loggers.CreateLogger("main");
    }

    /// <summary>Runs until told to end. The result is the exit code of the process.</summary>
    public static async Task<int> RunAsync(ProxyArguments arguments, CodecSet codecs)
    {
        await using var host = new ProxyHost(arguments, codecs);
        using Signals signals = new(host._exit, host._sinks.Reopen);
        return await host.RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_admin is not null)
        {
            await _admin.DisposeAsync();
        }

        _config?.Dispose();
        _dns?.Dispose();
        foreach (LoopWorker worker in _workers)
        {
            worker.Loop.Dispose();
        }

        _loggers.Dispose();
        _sinks.Dispose();
    }

    private async Task<int> RunAsync()
    {
        foreach (string warning in _arguments.Warnings)
        {
            _log.LogWarning("{Warning}", warning);
        }

        _config = ConfigPath.Start(_arguments, _snapshots, _loggers, out IReadOnlyList<ConfigIssue> issues);
        if (_config is null)
        {
            _log.LogCritical("not started: {Path} has {Count} errors", _arguments.ConfigPath ?? "the configuration", issues.Count);
            return ExitCodes.Failure;
        }

        StartLoops();
        ConnectionGate gate = new(_config.Bootstrap.MaxDownstreamConnections ?? ResourceLimits.OpenFiles() / 2);
        StartUpMemory memory = new(() => gate.Active);
        using ListenerSet listeners = Compose(gate, memory);
        if (IsStaticListenerMissing(listeners) || !TryOpenDns())
        {
            return ExitCodes.Failure;
        }

        _config.Connect();

        _admin = await StartAdminAsync(listeners);
        if (_admin is null)
        {
            return ExitCodes.Failure;
        }

        await InitializedAsync();
        _state.Current = ServerState.Live;
        _log.LogInformation("live: {Listeners} listeners on {Loops} loops", listeners.Open.Count, _workers.Count);
        _ = memory.ReturnSoonAsync();
        ReplacedMemory replaced = new();
        _snapshots.Swapped += (_, _) => replaced.Swapped();
        ExitRequest request = await _exit.Task;
        await new DrainSequence(listeners, _workers, gate, _state, _log).RunAsync(request.Drain ? _arguments.DrainTime : TimeSpan.Zero);
        return ExitCodes.Success;
    }

    /// <summary>Listeners open as they come; the process is live when every source has answered or has had its time.</summary>
    private async Task InitializedAsync()
    {
        _state.Current = ServerState.Initializing;
        await Task.WhenAny(_config!.Initialized, _exit.Task);
    }

    private void StartLoops()
    {
        for (int i = 0; i < (_arguments.Concurrency is > 0 and int given ? given : Environment.ProcessorCount); i++)
        {
            var worker = new LoopWorker(new EventLoop(i, _loggers.CreateLogger("loop")));
            _workers.Add(worker);
            worker.Loop.Start();
        }
    }

    private ListenerSet Compose(ConnectionGate gate, StartUpMemory memory)
    {
        ConnectionReporter reporter = new(_snapshots, _sinks);
        FilterCounters filterCounters = new();
        ChainDrain drain = new(_workers, _snapshots, _arguments.DrainTime);
        ClientPlacement placement = new(_workers, drain, _config!.Bootstrap.BusyLoopPercent / 100.0);
        XRpcServices xrpc = new(_snapshots, _guard, _metrics, new RequestReporter(_sinks)) { Codecs = _codecs, Placement = placement };
        Terminals terminals = new(new UpstreamConnector(_guard), xrpc);
        ConnectionPath path = new(gate, _guard, new NetworkFilters(filterCounters), terminals, reporter, drain);
        ConnectionGate sessions = new(ResourceLimits.OpenFiles() / 4);
        ListenerOpening opening = new(_workers, path.ServeAsync, _snapshots, new UdpServices(_snapshots, reporter, _guard, sessions));
        ListenerSet listeners = new(opening, _guard, _loggers.CreateLogger("listeners")) { Opening = memory.BeforeListening };
        listeners.Tried += _config!.Ledger.RecordBinding;
        _metrics.Add(reporter.Counters);
        _metrics.Add(filterCounters);
        _metrics.Add(new ClusterMetrics(_snapshots));
        _metrics.Add(new ServerMetrics(_startTime, () => (int)_state.Current, () => gate.Active));
        _metrics.Add(new LoopMetrics(_workers, listeners, gate, sessions, placement));
        _metrics.Add(_sinks);
        if (_config!.Streams is { } streams)
        {
            _metrics.Add(streams);
        }

        _snapshots.Swapped += (_, current) => listeners.Apply(current);
        _snapshots.Swapped += drain.Swapped;
        listeners.Apply(_snapshots.Current);
        return listeners;
    }

    /// <summary>Without a listener of its bootstrap the process does not start; one that came later is tried again.</summary>
    private bool IsStaticListenerMissing(ListenerSet listeners)
    {
        HashSet<string> names = [.. _config!.Ledger.Running.Where(static one => one.IsStaticListener).Select(static one => one.Name)];
        return listeners.Failures.Any(failure => names.Contains(failure.Resource));
    }

    /// <summary>Opens the DNS proxy, if there is to be one, and only then asks for the names: an agent beside the proxy asks for its own.</summary>
    private bool TryOpenDns()
    {
        if (_config!.DnsProxy is not { } config)
        {
            return true;
        }

        try
        {
            _dns = DnsProxy.Open(config, _workers, _guard, () => _config.Streams?.AreNamesSettled ?? true, _loggers.CreateLogger("dns"));
        }
        catch (IOException refused)
        {
            _log.LogCritical("not started: {Error}", refused.Message);
            return false;
        }

        if (_dns is { } dns)
        {
            dns.Shared.Follow(_snapshots);
            _config.Streams?.FollowNames(config.FirstFetch);
            _metrics.Add(dns.Shared.Counters);
            dns.Start();
        }

        return true;
    }

    private async Task<AdminServer?> StartAdminAsync(ListenerSet listeners)
    {
        try
        {
            return await AdminServer.StartAsync(AdminContext(listeners), _loggers.CreateLogger("admin"));
        }
        catch (IOException error)
        {
            _log.LogCritical("not started: {Error}", error.Message);
            return null;
        }
    }

    private AdminContext AdminContext(ListenerSet listeners) => new()
    {
        Snapshots = _snapshots,
        Metrics = _metrics,
        LogLevels = _levels,
        Bootstrap = _config!.Bootstrap,
        State = () => _state.Current,
        Listeners = () => listeners.Open.Select(static l => new BoundListener(l.Name, l.Address)),
        ConfigDump = _config.Ledger,
        Resources = () => _config.Ledger.Memory(CompiledSize.Of(_snapshots.Current)),
        Loops = () => [.. _workers.Select(static w => new LoopMemoryUse(w.Loop.Memory.Rented, w.Loop.Memory.RentedBytes, w.Loop.Pipes.Lent))],
        Unready = () => _config.Streams?.Unready ?? new Dictionary<string, IReadOnlyList<string>>(),
        LastKnownGood = () => _config.Streams?.LastKnownGood,
        Quit = () => _exit.TrySetResult(new ExitRequest(Drain: false)),
        Drain = request => Drain(listeners, request),
        DataPathProbe = ProbeAsync,
        StartTime = _startTime,
    };

    private void Drain(ListenerSet listeners, DrainRequest request)
    {
        listeners.Stop(request.InboundOnly);
        if (!request.InboundOnly && !request.SkipExit)
        {
            _exit.TrySetResult(new ExitRequest(Drain: true));
        }
    }

    /// <summary>Every loop has to answer: a stuck data path is not ready.</summary>
    private async Task<bool> ProbeAsync()
    {
        Task<bool[]> all = Task.WhenAll(_workers.Select(static w => w.Loop.InvokeAsync(static () => true)));
        return await Task.WhenAny(all, Task.Delay(TimeSpan.FromSeconds(1))) == all;
    }
}

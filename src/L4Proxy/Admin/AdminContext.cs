using System.Net;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.L4Proxy.Reporting;
using MeshL4.L4Proxy.Reporting.Logging;

namespace MeshL4.L4Proxy.Admin;

/// <summary>State of the process in Envoy's words. The numbers are those of <c>server.state</c>.</summary>
internal enum ServerState
{
    /// <summary>The first configuration is there and listeners accept.</summary>
    Live = 0,

    /// <summary>No new connections; those open may finish.</summary>
    Draining = 1,

    /// <summary>No configuration yet.</summary>
    PreInitializing = 2,

    /// <summary>Configuration taken, listeners not bound or clusters not warm.</summary>
    Initializing = 3,
}

/// <summary>A listening socket: the listener's name and where it really listens (the port chosen when 0 was asked for).</summary>
internal sealed record BoundListener(string Name, EndPoint Address);

/// <summary>What POST /drain_listeners asks for.</summary>
/// <param name="InboundOnly">Leave outbound listeners alone.</param>
/// <param name="Graceful">Let open connections finish before listeners close.</param>
/// <param name="SkipExit">With <paramref name="Graceful"/>: keep the process when all is drained.</param>
internal sealed record DrainRequest(bool InboundOnly, bool Graceful, bool SkipExit);

/// <summary>Everything the admin API reads and may set in motion. Delegates are called on pool threads.</summary>
internal sealed record AdminContext
{
    public required SnapshotStore Snapshots { get; init; }

    public required MetricsRegistry Metrics { get; init; }

    public required LogLevels LogLevels { get; init; }

    public required BootstrapSnapshot Bootstrap { get; init; }

    public required Func<ServerState> State { get; init; }

    public Func<IEnumerable<BoundListener>> Listeners { get; init; } = static () => [];

    /// <summary>Null serves an empty dump.</summary>
    public IConfigDump? ConfigDump { get; init; }

    /// <summary>What resources hold, by type.</summary>
    public Func<IReadOnlyList<ResourceMemory>> Resources { get; init; } = static () => [];

    /// <summary>What the loops' buffers hold, loop by loop.</summary>
    public Func<IReadOnlyList<LoopMemoryUse>> Loops { get; init; } = static () => [];

    /// <summary>What the start, or a warming cluster, waits for: names by who waits.</summary>
    public Func<IReadOnlyDictionary<string, IReadOnlyList<string>>> Unready { get; init; } = static () => new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>The file of the last good resources; null when none is configured.</summary>
    public Func<LastKnownGoodState?> LastKnownGood { get; init; } = static () => null;

    /// <summary>Ends the process cleanly, skipping the drain.</summary>
    public Action Quit { get; init; } = static () => { };

    public Action<DrainRequest> Drain { get; init; } = static _ => { };

    /// <summary>
    /// Answers true when every loop of the data path took a posted work item: 15021 fails when the data path is stuck, however
    /// healthy the pool threads are. Bounded by the page, which gives it a second.
    /// </summary>
    public Func<Task<bool>> DataPathProbe { get; init; } = static () => Task.FromResult(true);

    /// <summary>Start of the process.</summary>
    public DateTimeOffset StartTime { get; init; } = TimeProvider.System.GetUtcNow();

    /// <summary>Options of the command line by name, for /server_info.</summary>
    public IReadOnlyDictionary<string, string> CommandLineOptions { get; init; } = new Dictionary<string, string>();
}

using System.Diagnostics;
using MeshL4.L4Proxy.Config.Bootstrap;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Validating;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>What /server_info says of the file of the last good resources.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Saved">When what it holds was saved; null before that is known.</param>
/// <param name="InUse">Whether its resources run because no control plane has answered yet.</param>
internal sealed record LastKnownGoodState(string Path, DateTimeOffset? Saved, bool InUse)
{
    /// <summary>Which secrets the resources in use lack, since none is saved: <c>Type/name: field path: what follows</c>.</summary>
    public IReadOnlyList<string> Lacking { get; init; } = [];
}

/// <summary>Keeps the resources of streams on disk, and starts from there when no control plane answers in time.</summary>
/// <param name="config">The file and the wait.</param>
/// <param name="ledger">Knows what runs.</param>
/// <param name="sink">Takes what was saved.</param>
/// <param name="owner">The source whose resources of a type from the saved one are now; null when nobody's. Settings may have changed since.</param>
/// <param name="loaded">Told when resources from the file run.</param>
/// <param name="log">Takes what goes wrong with the file.</param>
internal sealed class LastKnownGood(
    SnapshotFileConfig config, ConfigLedger ledger, ResourceSink sink, Func<string, string, string?> owner, Action loaded, ILogger log) : IDisposable
{
    /// <summary>Updates within this time share a writing.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromSeconds(1);

    /// <summary>A writing of ten thousand resources takes seconds of a processor: between two of them it rests this many times as long.</summary>
    private const int RestsFor = 9;

    private static readonly string[] Order =
        [TypeUrls.Cluster, TypeUrls.Endpoints, TypeUrls.ExtensionConfig, TypeUrls.Routes, TypeUrls.Listener, TypeUrls.NameTable];
    private readonly Lock _writing = new();
    private readonly CancellationTokenSource _stop = new();
    private volatile LastKnownGoodState _state = new(config.Path, null, false);
    private volatile bool _answered;
    private int _saveDue;
    private long _lastTookTicks;

    public LastKnownGoodState State => _state;

    /// <summary>Begins to wait for a control plane.</summary>
    public void Start() => _ = Task.Run(async () =>
    {
        await Task.Delay(config.Wait, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_stop.IsCancellationRequested)
        {
            Load();
        }
    });

    /// <summary>An update of a stream was applied: what runs now is worth keeping.</summary>
    public void Updated()
    {
        _answered = true;
        if (_state.InUse)
        {
            _state = _state with { InUse = false, Lacking = [] };
        }

        if (Interlocked.Exchange(ref _saveDue, 1) == 0)
        {
            _ = Task.Run(async () =>
            {
                await Task.Delay(TimeSpan.FromTicks(Math.Max(Gathering.Ticks, Volatile.Read(ref _lastTookTicks) * RestsFor)), _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                Save();
            });
        }
    }

    public void Dispose() => _stop.Cancel();

    private void Save()
    {
        try
        {
            lock (_writing)
            {
                // Here, so that writings slower than updates do not queue up: one runs and one waits.
                Volatile.Write(ref _saveDue, 0);
                DateTimeOffset now = TimeProvider.System.GetUtcNow();
                long begun = Stopwatch.GetTimestamp();
                SnapshotFile.Write(config.Path, ledger.Running.Where(one => DiscoveryMethods.IsStream(one.Source) && one.TypeUrl != TypeUrls.Secret), now);
                Volatile.Write(ref _lastTookTicks, Stopwatch.GetElapsedTime(begun).Ticks);
                _state = _state with { Saved = now };
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            log.LogWarning("the last good resources cannot be saved: {Reason}", failure.Message);
        }
    }

    private void Load()
    {
        try
        {
            (DateTimeOffset saved, IReadOnlyList<DeltaDiscoveryResponse> responses) = SnapshotFile.Read(config.Path);
            bool used = false;
            sink.Together(() =>
            {
                // An update may be applied and not yet told: what it brought is newer.
                used = !_answered && !ledger.Running.Any(one => DiscoveryMethods.IsStream(one.Source));
                foreach (DeltaDiscoveryResponse response in responses.Where(one => used && Array.IndexOf(Order, one.TypeUrl) >= 0).OrderBy(one => Array.IndexOf(Order, one.TypeUrl)))
                {
                    Deliver(response);
                }

                if (used)
                {
                    LeaveOut();
                }
            });
            if (used)
            {
                IReadOnlyList<string> lacking = _answered ? [] : [.. responses.SelectMany(Lacking)];
                _state = new LastKnownGoodState(config.Path, saved, !_answered) { Lacking = lacking };
                log.LogWarning("no control plane has answered: the resources saved at {Saved} run", saved);
                foreach (string one in lacking)
                {
                    log.LogWarning("{Lack}", one);
                }

                loaded();
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or Google.Protobuf.InvalidProtocolBufferException)
        {
            log.LogWarning("no control plane has answered, and no resources were saved: {Reason}", failure.Message);
        }
    }

    private static IEnumerable<string> Lacking(DeltaDiscoveryResponse response)
        => response.ResourceErrors.Select(one => $"{TypeUrls.ShortName(response.TypeUrl)}/{one.ResourceName.Name}: {one.ErrorDetail.Message}");

    /// <summary>Under the sink's lock. No stream would ever remove what comes from a source that nobody names now.</summary>
    private void LeaveOut()
    {
        HashSet<string> named = [];
        sink.Refresh(builder => named = [.. builder.Clusters.Select(static cluster => cluster.EdsSource), .. builder.Needs.Select(static need => need.Source)]);
        foreach (IGrouping<(string TypeUrl, string Source), RunningResource> group in ledger.Running
            .Where(one => IsNamed(one.TypeUrl) && DiscoveryMethods.IsStream(one.Source) && !named.Contains(one.Source)).GroupBy(static one => (one.TypeUrl, one.Source)).ToList())
        {
            sink.Deliver(new ResourceUpdate(group.Key.TypeUrl, "", group.Key.Source, [], new IssueCollector()) { Complete = false, Removed = [.. group.Select(static one => one.Name)] });
        }
    }

    /// <summary>Whether resources of the type are asked for because others name them, together with their source.</summary>
    private static bool IsNamed(string typeUrl) => typeUrl is TypeUrls.Endpoints or TypeUrls.ExtensionConfig or TypeUrls.Routes;

    private void Deliver(DeltaDiscoveryResponse response)
    {
        if (owner(response.TypeUrl, response.Nonce) is not { } source)
        {
            return;
        }

        var update = new DiscoveryUpdate
        {
            TypeUrl = response.TypeUrl,
            Nonce = "",
            Version = "",
            Resources = [.. response.Resources.Select(one => new DiscoveredResource(one.Name, one.Version, null, one.Resource_))],
        };
        var issues = new IssueCollector();
        sink.Deliver(new ResourceUpdate(response.TypeUrl, "", source, ResourceReader.Offer(update, config.Path), issues)
        {
            Versions = response.Resources.ToDictionary(one => one.Name, one => one.Version, StringComparer.Ordinal),
        });
    }
}

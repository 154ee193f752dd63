using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Asks for the route configurations, secrets and filter settings that running resources name, stops asking when none does any more, and
/// bounds the wait for the first answer.
/// </summary>
/// <param name="sink">Whose lock guards this object.</param>
/// <param name="clientOf">The stream of a type from a source; null when there is none.</param>
/// <param name="timedOut">Told with type and source when a first answer did not come in time.</param>
/// <param name="log">Takes the names given up.</param>
/// <param name="time">Measures the waits; null for the system's.</param>
internal sealed class NameDemand(
    ResourceSink sink,
    Func<string, StreamSourceConfig, DiscoveryClient?> clientOf,
    Action<string, StreamSourceConfig> timedOut,
    ILogger log,
    TimeProvider? time = null) : IDisposable
{
    private readonly Dictionary<(string TypeUrl, string Name), (ResourceNeed Need, DiscoveryClient? Client)> _wanted = [];
    private readonly OneShotTimers _timers = new(time);

    // By name, its wait: a name that went and came back waits anew, whatever the timers of its first wait say.
    private readonly Dictionary<(string TypeUrl, string Name), object> _waits = [];

    /// <summary>What is asked for now.</summary>
    public IReadOnlyList<(string TypeUrl, string Name)> Wanted { get; private set; } = [];

    /// <summary>Under the sink's lock: takes what the running resources name now.</summary>
    public void Follow(SnapshotBuilder builder)
    {
        var needs = new Dictionary<(string TypeUrl, string Name), ResourceNeed>();
        foreach (ResourceNeed need in builder.Needs)
        {
            // Who waits shortest bounds the wait of all that wait for the same.
            (string, string) key = (need.TypeUrl, need.Name);
            needs[key] = needs.TryGetValue(key, out ResourceNeed? other) && !IsShorter(need, other) ? other : need;
        }

        var touched = new HashSet<(DiscoveryClient Client, string TypeUrl)>();
        List<KeyValuePair<(string TypeUrl, string Name), (ResourceNeed Need, DiscoveryClient? Client)>> gone =
            [.. _wanted.Where(one => !needs.TryGetValue(one.Key, out ResourceNeed? now) || !IsSameSource(now, one.Value.Need))];
        Drop(builder, gone, touched);
        Add(builder, [.. needs.Where(one => !_wanted.TryGetValue(one.Key, out var was) || IsShorter(one.Value, was.Need)).Select(static one => one.Value)], touched);
        foreach ((DiscoveryClient client, string typeUrl) in touched)
        {
            client.Find(typeUrl)!.Want(_wanted.Where(one => one.Key.TypeUrl == typeUrl && one.Value.Client == client).Select(static one => one.Key.Name).ToHashSet(StringComparer.Ordinal));
            gone.Where(one => one.Key.TypeUrl == typeUrl && one.Value.Client == client).ToList().ForEach(one => client.Find(typeUrl)!.LetGo.Enqueue(one.Key.Name));
            client.Wake();
        }

        Wanted = [.. _wanted.Keys];
    }

    /// <summary>Nobody waits for these any longer.</summary>
    public void GiveUp(string typeUrl, IReadOnlyCollection<string> names, string reason) => sink.Refresh(builder =>
    {
        List<string> waiting = [.. builder.Needs.Where(need => need.TypeUrl == typeUrl && names.Contains(need.Name) && builder.Discovered.Lacks(need)).Select(need => need.Name).Distinct()];
        if (waiting.Count > 0)
        {
            builder.Discovered.Settle(typeUrl, waiting);
            log.LogWarning("nobody waits any longer for {Type} {Names}: {Reason}", TypeUrls.ShortName(typeUrl), string.Join(", ", waiting.Take(10)), reason);
        }
    });

    public void Dispose() => _timers.Dispose();

    private static bool IsShorter(ResourceNeed one, ResourceNeed other)
        => one.FirstFetch > TimeSpan.Zero && (other.FirstFetch == TimeSpan.Zero || one.FirstFetch < other.FirstFetch);

    private static bool IsSameSource(ResourceNeed one, ResourceNeed other)
        => one.Stream?.Api?.Key == other.Stream?.Api?.Key && one.Stream is null == other.Stream is null && one.File?.Path == other.File?.Path;

    private void Drop(
        SnapshotBuilder builder,
        List<KeyValuePair<(string TypeUrl, string Name), (ResourceNeed Need, DiscoveryClient? Client)>> gone,
        HashSet<(DiscoveryClient Client, string TypeUrl)> touched)
    {
        foreach (((string typeUrl, string name), (ResourceNeed _, DiscoveryClient? client)) in gone)
        {
            _wanted.Remove((typeUrl, name));
            _waits.Remove((typeUrl, name));
            if (client is not null)
            {
                touched.Add((client, typeUrl));
                sink.Deliver(new ResourceUpdate(typeUrl, "", client.Name, [], new IssueCollector()) { Complete = false, Removed = [name] });
            }

            builder.Discovered.Forget(typeUrl, [name]);
        }
    }

    private void Add(SnapshotBuilder builder, List<ResourceNeed> added, HashSet<(DiscoveryClient Client, string TypeUrl)> touched)
    {
        foreach (ResourceNeed need in added)
        {
            DiscoveryClient? client = need.Stream is { } source ? clientOf(need.TypeUrl, source) : null;
            _wanted[(need.TypeUrl, need.Name)] = (need, client);
            _waits.TryAdd((need.TypeUrl, need.Name), new object());
            if (client is not null)
            {
                touched.Add((client, need.TypeUrl));
            }
            else if (need.Stream is not null)
            {
                builder.Discovered.Settle(need.TypeUrl, [need.Name]); // There is no such stream: it never comes.
            }
        }

        // One timer for all that came with one change.
        foreach (var batch in added.GroupBy(static need => (need.TypeUrl, need.FirstFetch)).Where(static batch => batch.Key.FirstFetch > TimeSpan.Zero))
        {
            (ResourceNeed, object)[] waits = [.. batch.Select(need => (need, _waits[(need.TypeUrl, need.Name)]))];
            _timers.Start(batch.Key.FirstFetch, () => Expire(waits));
        }
    }

    private void Expire((ResourceNeed Need, object Wait)[] waits) => sink.Exclusively(() =>
    {
        List<ResourceNeed> lacking = [];
        sink.Refresh(builder => lacking.AddRange(waits
            .Where(one => _waits.GetValueOrDefault((one.Need.TypeUrl, one.Need.Name)) == one.Wait && builder.Discovered.Lacks(one.Need)).Select(one => one.Need)));
        foreach (IGrouping<string, ResourceNeed> type in lacking.GroupBy(static need => need.TypeUrl))
        {
            foreach (StreamSourceConfig source in type.Select(static need => need.Stream).OfType<StreamSourceConfig>().DistinctBy(static source => source.Api?.Key))
            {
                timedOut(type.Key, source);
            }

            GiveUp(type.Key, [.. type.Select(static need => need.Name)], "none came in time");
        }
    });
}

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
    private readonly Dictionary<ResourceKey, (ResourceNeed Need, DiscoveryClient? Client)> _wanted = [];
    private readonly NamedWaits<ResourceKey> _waits = new(time);

    /// <summary>What is asked for now.</summary>
    public IReadOnlyList<ResourceKey> Wanted { get; private set; } = [];

    /// <summary>Under the sink's lock: takes what the running resources name now.</summary>
    public void Follow(SnapshotBuilder builder)
    {
        var needs = new Dictionary<ResourceKey, ResourceNeed>();
        foreach (ResourceNeed need in builder.Needs)
        {
            // Who waits shortest bounds the wait of all that wait for the same.
            needs[need.Key] = needs.TryGetValue(need.Key, out ResourceNeed? other) && !IsShorter(need, other) ? other : need;
        }

        var touched = new HashSet<(DiscoveryClient Client, string TypeUrl)>();
        List<KeyValuePair<ResourceKey, (ResourceNeed Need, DiscoveryClient? Client)>> gone = [.. _wanted.Where(one => !needs.ContainsKey(one.Key))];
        Drop(builder, gone, touched);
        Add(builder, [.. needs.Where(one => !_wanted.TryGetValue(one.Key, out var was) || IsShorter(one.Value, was.Need)).Select(static one => one.Value)], touched);
        foreach ((DiscoveryClient client, string typeUrl) in touched)
        {
            client.Find(typeUrl)!.Want(_wanted.Where(one => one.Key.TypeUrl == typeUrl && one.Value.Client == client).Select(static one => one.Key.Name).ToHashSet(StringComparer.Ordinal));
            gone.Where(one => one.Key.TypeUrl == typeUrl && one.Value.Client == client).ToList().ForEach(one => client.Find(typeUrl)!.Release(one.Key.Name));
            client.Wake();
        }

        Wanted = [.. _wanted.Keys];
    }

    /// <summary>Nobody waits for these of a source any longer.</summary>
    public void GiveUp(string typeUrl, string source, IReadOnlyCollection<string> names, string reason) =>
        sink.Change(builder => GiveUp(builder, typeUrl, source, names, reason));

    public void Dispose() => _waits.Dispose();

    private static bool IsShorter(ResourceNeed one, ResourceNeed other)
        => one.FirstFetch > TimeSpan.Zero && (other.FirstFetch == TimeSpan.Zero || one.FirstFetch < other.FirstFetch);

    private void Drop(
        SnapshotBuilder builder,
        List<KeyValuePair<ResourceKey, (ResourceNeed Need, DiscoveryClient? Client)>> gone,
        HashSet<(DiscoveryClient Client, string TypeUrl)> touched)
    {
        foreach ((ResourceKey key, (ResourceNeed _, DiscoveryClient? client)) in gone)
        {
            _wanted.Remove(key);
            _waits.Forget(key);
            if (client is not null)
            {
                touched.Add((client, key.TypeUrl));
                sink.Deliver(new ResourceUpdate(key.TypeUrl, "", key.Source, [], new IssueCollector()) { Complete = false, Removed = [key.Name] });
            }

            builder.Discovered.Forget(key.TypeUrl, key.Source, [key.Name]);
        }
    }

    private void Add(SnapshotBuilder builder, List<ResourceNeed> added, HashSet<(DiscoveryClient Client, string TypeUrl)> touched)
    {
        foreach (ResourceNeed need in added)
        {
            DiscoveryClient? client = need.Stream is { } source ? clientOf(need.TypeUrl, source) : null;
            _wanted[need.Key] = (need, client);
            if (client is not null)
            {
                touched.Add((client, need.TypeUrl));
            }
            else if (need.Stream is not null)
            {
                builder.Discovered.Settle(need.TypeUrl, need.Source, [need.Name]); // There is no such stream: it never comes.
            }
        }

        foreach (IGrouping<TimeSpan, ResourceNeed> batch in added.GroupBy(static need => need.FirstFetch))
        {
            ResourceNeed[] needs = [.. batch];
            _waits.Begin(batch.Key, [.. needs.Select(static need => need.Key)], isWaitedFor => Expire(needs, isWaitedFor));
        }
    }

    /// <summary>One swap takes what follows from all of them.</summary>
    private void Expire(ResourceNeed[] needs, Func<ResourceKey, bool> isWaitedFor) => sink.Change(builder =>
    {
        bool changed = false;
        List<ResourceNeed> lacking = [.. needs.Where(need => isWaitedFor(need.Key) && builder.Discovered.Lacks(need))];
        foreach (IGrouping<(string TypeUrl, string Source), ResourceNeed> asked in lacking.GroupBy(static need => (need.TypeUrl, need.Source)))
        {
            if (asked.First().Stream is { } source)
            {
                timedOut(asked.Key.TypeUrl, source);
            }

            changed |= GiveUp(builder, asked.Key.TypeUrl, asked.Key.Source, [.. asked.Select(static need => need.Name)], "none came in time");
        }

        return changed;
    });

    /// <summary>False when nobody waited for any of them.</summary>
    private bool GiveUp(SnapshotBuilder builder, string typeUrl, string source, IReadOnlyCollection<string> names, string reason)
    {
        List<string> waiting = [.. builder.Needs
            .Where(need => need.TypeUrl == typeUrl && need.Source == source && names.Contains(need.Name) && builder.Discovered.Lacks(need))
            .Select(need => need.Name).Distinct()];
        if (waiting.Count > 0)
        {
            builder.Discovered.Settle(typeUrl, source, waiting);
            log.LogWarning("nobody waits any longer for {Type} {Names}: {Reason}", TypeUrls.ShortName(typeUrl), string.Join(", ", waiting.Take(10)), reason);
        }

        return waiting.Count > 0;
    }
}

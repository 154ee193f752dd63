using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Asks for the endpoints that clusters name, stops asking when none does any more, and bounds the wait for the first answer.</summary>
/// <param name="sink">Whose lock guards this object.</param>
/// <param name="clientOf">The stream of a source; null when there is none.</param>
/// <param name="hasAggregated">Whether the bootstrap has an aggregated stream.</param>
/// <param name="log">Takes the names given up.</param>
/// <param name="time">Measures the waits; null for the system's.</param>
internal sealed class EndpointDemand(
    ResourceSink sink, Func<StreamSourceConfig, DiscoveryClient?> clientOf, bool hasAggregated, ILogger log, TimeProvider? time = null) : IDisposable
{
    private readonly Dictionary<DiscoveryClient, HashSet<string>> _wanted = [];
    private readonly NamedWaits<(string Source, string Name)> _waits = new(time);
    private HashSet<string> _unreachable = new(StringComparer.Ordinal);

    /// <summary>Under the sink's lock: takes the demand of all clusters as it is now.</summary>
    public void Follow(SnapshotBuilder builder)
    {
        var demand = new Dictionary<DiscoveryClient, Dictionary<string, TimeSpan>>();
        var clients = new Dictionary<string, DiscoveryClient?>(StringComparer.Ordinal);
        foreach (ClusterConfig cluster in builder.Clusters)
        {
            bool used = builder.Lazy?.IsUsed(cluster.Template.Name) ?? true;
            if (used && cluster.EdsStream is { } source && ClientOf(cluster.EdsSource, source, clients) is { } client)
            {
                demand.TryAdd(client, new Dictionary<string, TimeSpan>(StringComparer.Ordinal));
                demand[client].TryAdd(cluster.Template.EdsServiceName, source.FirstFetch);
            }
        }

        if (!hasAggregated)
        {
            NeverWait(builder);
        }

        foreach (DiscoveryClient client in _wanted.Keys.Union(demand.Keys).ToList())
        {
            Follow(builder, client, demand.GetValueOrDefault(client) ?? []);
        }
    }

    /// <summary>Ten thousand clusters name a few sources.</summary>
    private DiscoveryClient? ClientOf(string key, StreamSourceConfig source, Dictionary<string, DiscoveryClient?> known)
    {
        if (!known.TryGetValue(key, out DiscoveryClient? client))
        {
            known.Add(key, client = clientOf(source));
        }

        return client;
    }

    /// <summary>What is to come over the aggregated stream never comes where the bootstrap has none.</summary>
    private void NeverWait(SnapshotBuilder builder)
    {
        HashSet<string> names = [.. builder.Clusters.Where(static cluster => cluster.EdsStream is { Api: null }).Select(static one => one.Template.EdsServiceName)];
        List<string> gone = [.. _unreachable.Except(names)], added = [.. names.Except(_unreachable)];
        _unreachable = names;
        if (gone.Count > 0)
        {
            builder.Forget(DiscoveryMethods.Aggregated, gone);
        }

        GiveUp(builder, DiscoveryMethods.Aggregated, added, "the bootstrap has no ads_config to ask for them by");
    }

    /// <summary>Clusters wait no longer for these names of a source. What nobody wants of it is not noted.</summary>
    public void GiveUp(string source, IReadOnlyCollection<string> services, string reason) => sink.Change(builder =>
    {
        HashSet<string>? wanted = _wanted.FirstOrDefault(one => one.Key.Source == source).Value;
        return GiveUp(builder, source, services.Where(service => wanted?.Contains(service) == true), reason);
    });

    public void Dispose() => _waits.Dispose();

    /// <summary>False when nobody waited for any of them.</summary>
    private bool GiveUp(SnapshotBuilder builder, string source, IEnumerable<string> services, string reason)
    {
        HashSet<string> waiting = [.. services.Where(service => builder.LacksEndpoints(source, service))];
        if (waiting.Count > 0)
        {
            builder.GiveUp(source, waiting);
            log.LogWarning("{Count} clusters serve without endpoints, {Reason}: {Names}", waiting.Count, reason, string.Join(", ", waiting.Take(10)));
        }

        return waiting.Count > 0;
    }

    private void Follow(SnapshotBuilder builder, DiscoveryClient client, Dictionary<string, TimeSpan> demand)
    {
        HashSet<string> before = _wanted.GetValueOrDefault(client) ?? [];
        List<string> added = [.. demand.Keys.Where(name => !before.Contains(name))];
        List<string> gone = [.. before.Where(name => !demand.ContainsKey(name))];
        if (added.Count == 0 && gone.Count == 0)
        {
            return;
        }

        var names = demand.Keys.ToHashSet(StringComparer.Ordinal);
        if (names.Count > 0)
        {
            _wanted[client] = names;
        }
        else
        {
            _wanted.Remove(client); // its stream may be taken down
        }

        Subscription subscription = client.Find(TypeUrls.Endpoints)!;
        subscription.Want(names);
        gone.ForEach(subscription.Release);
        client.Wake();
        builder.Forget(client.Source, gone);
        gone.ForEach(name => _waits.Forget((client.Source, name)));
        if (gone.Count > 0)
        {
            sink.Deliver(new ResourceUpdate(TypeUrls.Endpoints, "", client.Source, [], new IssueCollector()) { Complete = false, Removed = gone });
        }

        foreach (IGrouping<TimeSpan, string> batch in added.GroupBy(name => demand[name]))
        {
            (string Source, string Name)[] services = [.. batch.Select(name => (client.Source, name))];
            _waits.Begin(batch.Key, services, isWaitedFor => Expire(client.Source, services, isWaitedFor));
        }
    }

    private void Expire(string source, (string Source, string Name)[] services, Func<(string Source, string Name), bool> isWaitedFor)
        => sink.Change(builder => GiveUp(builder, source, services.Where(isWaitedFor).Select(static service => service.Name), "none came in time"));
}

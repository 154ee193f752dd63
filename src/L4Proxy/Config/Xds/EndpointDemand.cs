using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Microsoft.Extensions.Logging;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Asks for the endpoints that clusters name, stops asking when none does any more, and bounds the wait for the first answer.</summary>
/// <param name="sink">Whose lock guards this object.</param>
/// <param name="clientOf">The stream of a source; null when there is none.</param>
/// <param name="log">Takes the names given up.</param>
/// <param name="time">Measures the waits; null for the system's.</param>
internal sealed class EndpointDemand(
    ResourceSink sink, Func<StreamSourceConfig, DiscoveryClient?> clientOf, ILogger log, TimeProvider? time = null) : IDisposable
{
    private readonly Dictionary<DiscoveryClient, HashSet<string>> _wanted = [];
    private readonly NamedWaits<(string Source, string Name)> _waits = new(time);

    /// <summary>Under the sink's lock: takes the demand of all clusters as it is now.</summary>
    public void Follow(SnapshotBuilder builder)
    {
        var demand = new Dictionary<DiscoveryClient, Dictionary<string, TimeSpan>>();
        foreach (ClusterConfig cluster in builder.Clusters)
        {
            bool used = builder.Lazy?.IsUsed(cluster.Template.Name) ?? true;
            if (used && cluster.EdsStream is { } source && clientOf(source) is { } client)
            {
                demand.TryAdd(client, new Dictionary<string, TimeSpan>(StringComparer.Ordinal));
                demand[client].TryAdd(cluster.Template.EdsServiceName, source.FirstFetch);
            }
        }

        foreach (DiscoveryClient client in _wanted.Keys.Union(demand.Keys).ToList())
        {
            Follow(builder, client, demand.GetValueOrDefault(client) ?? []);
        }
    }

    /// <summary>Clusters wait no longer for these names of a source.</summary>
    public void GiveUp(string source, IReadOnlyCollection<string> services, string reason) => sink.Refresh(builder => GiveUp(builder, source, services, reason));

    public void Dispose() => _waits.Dispose();

    private void GiveUp(SnapshotBuilder builder, string source, IEnumerable<string> services, string reason)
    {
        HashSet<string> waiting = [.. services.Where(service => builder.LacksEndpoints(source, service))];
        if (waiting.Count > 0)
        {
            builder.GiveUp(source, waiting);
            log.LogWarning("{Count} clusters serve without endpoints, {Reason}: {Names}", waiting.Count, reason, string.Join(", ", waiting.Take(10)));
        }
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
        _wanted[client] = names;
        Subscription subscription = client.Find(TypeUrls.Endpoints)!;
        subscription.Want(names);
        gone.ForEach(subscription.LetGo.Enqueue);
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
        => sink.Refresh(builder => GiveUp(builder, source, services.Where(isWaitedFor).Select(static service => service.Name), "none came in time"));
}

using Google.Protobuf;
using MeshL4.L4Proxy.Config.Validating;
using ClusterLoadAssignment = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3.ClusterLoadAssignment;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Decodes the updates of one stream, delivers them, and removes what outlives its time to live.</summary>
/// <param name="source">The stream's name: whose resources these are.</param>
/// <param name="sink">Takes them.</param>
/// <param name="applied">Told after each update.</param>
/// <param name="time">Measures times to live; null for the system's.</param>
internal sealed class UpdateReceiver(
    string source, IResourceSink sink, Action<Subscription, DiscoveryUpdate> applied, TimeProvider? time = null) : IUpdateReceiver, IDisposable
{
    private readonly ResourceLifetimes _lifetimes = new(sink.Exclusively, time ?? TimeProvider.System);

    public Received Receive(DiscoveryUpdate sent, Subscription subscription)
    {
        DiscoveryUpdate update = SingleTable(sent);
        var issues = new IssueCollector();
        List<OfferedResource> offered = ResourceReader.Offer(update, source);
        IReadOnlyCollection<string> held = Deliver(update, subscription, offered, issues);
        applied(subscription, update);
        bool table = update.TypeUrl == TypeUrls.NameTable && held.Count > 0;
        return new Received(NackText.Of(issues.Issues, issues.ErrorCount), table ? [.. sent.Resources.Select(one => one.Name)] : held);
    }

    /// <summary>Names of what runs as sent. A version and its time to live are taken as one: no timer of the version before comes between.</summary>
    private IReadOnlyCollection<string> Deliver(DiscoveryUpdate update, Subscription subscription, List<OfferedResource> offered, IssueCollector issues)
    {
        IReadOnlyCollection<string> held = [];
        sink.Exclusively(() =>
        {
            // What is wanted changes under the sink's lock: what nobody wants any more behind this line is let go by who ended the wish.
            if (subscription.Wanted is { All: false, Names: { } wanted })
            {
                // A server may push more than was asked for (endpoints behind every change of clusters); that is no error.
                // What has no name may be anybody's, and is refused.
                offered.RemoveAll(one => one.Name.Length > 0 && !wanted.Contains(one.Name));
                update = update with { Resources = [.. update.Resources.Where(one => !one.IsHeartbeat || wanted.Contains(one.Name))] };
            }

            held = sink.Deliver(new ResourceUpdate(update.TypeUrl, update.Version, source, offered, issues)
            {
                Complete = update.Complete,
                Delta = update.Delta,
                Versions = Versions(update),

                // Heartbeats speak for resources that stand in no list.
                Renewed = [.. update.Resources.Where(resource => resource.IsHeartbeat).Select(resource => resource.Name)],

                // Endpoints, routes and secrets stay as long as somebody refers to them.
                Removed = update.TypeUrl is TypeUrls.Endpoints or TypeUrls.Routes or TypeUrls.Secret ? [] : update.Removed,
            }).Held;
            Renew(update, subscription, held);
        });
        return held;
    }

    /// <summary>There is one table of names, whatever the server calls it.</summary>
    private static DiscoveryUpdate SingleTable(DiscoveryUpdate update) => update.TypeUrl != TypeUrls.NameTable ? update : update with
    {
        Resources = [.. update.Resources.Select(one => one with { Name = TypeUrls.NameTableName })],
        Removed = update.Removed.Count > 0 ? [TypeUrls.NameTableName] : [],
    };

    public void Dispose() => _lifetimes.Dispose();

    private static Dictionary<string, string>? Versions(DiscoveryUpdate update)
    {
        var versions = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DiscoveredResource resource in update.Resources.Where(resource => resource.Version.Length > 0))
        {
            versions[resource.Name] = resource.Version;
        }

        return versions.Count > 0 ? versions : null;
    }

    /// <summary>A heartbeat prolongs, a new version with or without a time to live replaces the one before.</summary>
    private void Renew(DiscoveryUpdate update, Subscription subscription, IReadOnlyCollection<string> held)
    {
        subscription.Released = name => _lifetimes.Renew((subscription.TypeUrl, name), null, static () => { });
        var good = held.ToHashSet(StringComparer.Ordinal);
        foreach (DiscoveredResource resource in update.Resources.Where(resource => resource.IsHeartbeat || good.Contains(resource.Name)))
        {
            _lifetimes.Renew((update.TypeUrl, resource.Name), resource.TimeToLive, () => Expire(subscription, resource.Name));
        }

        foreach (string name in update.Removed)
        {
            _lifetimes.Renew((update.TypeUrl, name), null, static () => { });
        }
    }

    /// <summary>Nobody delivers meanwhile.</summary>
    private void Expire(Subscription subscription, string name)
    {
        if (subscription.Wanted is { All: false, Names: { } wanted } && !wanted.Contains(name))
        {
            return; // Who let it go has removed it.
        }

        subscription.Expired.Enqueue(name);
        bool endpoints = subscription.TypeUrl == TypeUrls.Endpoints;
        IMessage[] left = endpoints ? [new ClusterLoadAssignment { ClusterName = name }] : [];
        sink.Deliver(new ResourceUpdate(subscription.TypeUrl, "", source, OfferedResource.Of(left), new IssueCollector()) { Complete = false, Removed = endpoints ? [] : [name] });
    }
}

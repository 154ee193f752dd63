using Google.Protobuf;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Decodes the updates of one stream and delivers them.</summary>
/// <param name="source">The stream's name: whose resources these are.</param>
/// <param name="sink">Takes them.</param>
/// <param name="applied">Told after each update with its type.</param>
internal sealed class UpdateReceiver(string source, IResourceSink sink, Action<Subscription, DiscoveryUpdate> applied) : IUpdateReceiver
{
    public Received Receive(DiscoveryUpdate update, Subscription subscription)
    {
        var issues = new IssueCollector();
        List<IMessage> messages = ResourceReader.Read(update, source, issues, out bool nameless);
        if (!subscription.Wanted.All)
        {
            // A server may push more than was asked for (endpoints behind every change of clusters); that is no error.
            messages.RemoveAll(message => !subscription.Wanted.Names.Contains(ResourceSink.NameOf(message)));
        }

        UpdateVerdict verdict = sink.Deliver(new ResourceUpdate(update.TypeUrl, update.Version, source, messages, issues)
        {
            // What cannot be named cannot be spared: then nothing is taken for gone.
            Complete = update.Complete && !nameless,

            // Heartbeats speak for resources that stand in no list.
            Renewed = [.. update.Resources.Where(resource => resource.Body is null).Select(resource => resource.Name)],

            // Endpoints stay as long as a cluster refers to them.
            Removed = update.TypeUrl == TypeUrls.Endpoints ? [] : update.Removed,
        });
        applied(subscription, update);
        return new Received(NackText.Of(issues.Issues, issues.ErrorCount), verdict.Held);
    }
}

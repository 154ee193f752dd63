using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Validating;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Decodes the resources of an update each for itself: what is wrong with one spoils no other.</summary>
internal static class ResourceReader
{
    /// <summary>The resources that could be read; <paramref name="issues"/> takes the errors, each charged to a resource.</summary>
    /// <param name="update">As received.</param>
    /// <param name="origin">Name of the stream, for issues.</param>
    /// <param name="issues">Takes errors and warnings.</param>
    /// <param name="nameless">True when a resource could not be read so far as to know its name.</param>
    public static List<IMessage> Read(DiscoveryUpdate update, string origin, IssueCollector issues, out bool nameless)
    {
        var messages = new List<IMessage>(update.Resources.Count);
        nameless = false;
        for (int i = 0; i < update.Resources.Count; i++)
        {
            DiscoveredResource resource = update.Resources[i];
            if (resource.Body is null)
            {
                continue;
            }

            string shortName = TypeUrls.ShortName(update.TypeUrl);
            string key = $"{shortName}/{(resource.Name.Length > 0 ? resource.Name : $"resources[{i}]")}";
            var own = new IssueCollector();
            IMessage? message = ReadOne(resource, update.TypeUrl, origin, own);
            foreach (ConfigIssue issue in own.Issues)
            {
                issues.Add(issue with { Resource = issue.Resource ?? key, Origin = origin });
            }

            if (message is not null)
            {
                messages.Add(message);
            }

            nameless |= message is null && resource.Name.Length == 0;
        }

        return messages;
    }

    private static IMessage? ReadOne(DiscoveredResource resource, string typeUrl, string origin, IssueCollector issues)
    {
        Any body = resource.Body!;
        if (body.TypeUrl != typeUrl)
        {
            issues.Error("", $"is a '{body.TypeUrl}' where a '{typeUrl}' belongs");
            return null;
        }

        IMessage? message = typeUrl switch
        {
            TypeUrls.Listener => Read<Protos.Envoy.Config.Listener.V3.Listener>(body, origin, issues),
            TypeUrls.Cluster => Read<Protos.Envoy.Config.Cluster.V3.Cluster>(body, origin, issues),
            TypeUrls.NameTable => Read<Protos.Istio.Networking.Nds.V1.NameTable>(body, origin, issues),
            _ => Read<Protos.Envoy.Config.Endpoint.V3.ClusterLoadAssignment>(body, origin, issues),
        };
        if (message is not null && resource.Name.Length > 0 && ResourceSink.NameOf(message) != resource.Name)
        {
            issues.Error("", $"holds '{ResourceSink.NameOf(message)}': the envelope's name and the resource's differ");
            return null;
        }

        return message;
    }

    private static T? Read<T>(Any body, string origin, IssueCollector issues)
        where T : class, IMessage<T>, new()
        => ConfigMessageReader.Read<T>(body.Value.Memory, ConfigFormat.Binary, origin, ConfigSourceKind.Xds, issues);
}

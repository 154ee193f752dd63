using System.Text;
using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Validating;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Offers the resources of a response, each to be read for itself: what is wrong with one spoils no other.</summary>
internal static class ResourceReader
{
    /// <summary>The resources of an update without its heartbeats.</summary>
    /// <param name="update">As received.</param>
    /// <param name="origin">Name of the stream, for issues.</param>
    public static List<OfferedResource> Offer(DiscoveryUpdate update, string origin)
    {
        var offered = new List<OfferedResource>(update.Resources.Count);
        for (int i = 0; i < update.Resources.Count; i++)
        {
            if (!update.Resources[i].IsHeartbeat)
            {
                offered.Add(new Streamed(update.Resources[i], update.TypeUrl, origin, i));
            }
        }

        return offered;
    }

    private static IMessage? ReadOne(DiscoveredResource resource, string typeUrl, string origin, IssueCollector issues)
    {
        if (resource.Unreadable is { } unreadable)
        {
            issues.Error("", unreadable.Reason);
            return null;
        }

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
            TypeUrls.Routes => Read<Protos.Envoy.Config.Route.V3.RouteConfiguration>(body, origin, issues),
            TypeUrls.Secret => Read<Protos.Envoy.Extensions.TransportSockets.Tls.V3.Secret>(body, origin, issues),
            TypeUrls.ExtensionConfig => Read<Protos.Envoy.Config.Core.V3.TypedExtensionConfig>(body, origin, issues),
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

    /// <summary>A resource in the bytes of a response.</summary>
    private sealed class Streamed : OfferedResource
    {
        private readonly DiscoveredResource _resource;
        private readonly string _typeUrl;
        private readonly string _origin;
        private readonly int _index;

        public Streamed(DiscoveredResource resource, string typeUrl, string origin, int index)
        {
            (_resource, _typeUrl, _origin, _index) = (resource, typeUrl, origin, index);
            Name = resource.Name.Length > 0 ? resource.Name : resource.Body?.TypeUrl == typeUrl ? PeekName(resource.Body.Value.Memory) : "";
        }

        public override string Name { get; }

        /// <summary>In the response: heartbeats and what was not asked for count, too.</summary>
        public override string NameOrPlace(int index) => base.NameOrPlace(_index);

        public override ReadOnlyMemory<byte> Wire => _resource.Unreadable?.Bytes ?? _resource.Body!.Value.Memory;

        public override IMessage? Read(IssueCollector issues)
        {
            var own = new IssueCollector();
            IMessage? message = ReadOne(_resource, _typeUrl, _origin, own);
            if (own.Issues.Count > 0)
            {
                // Under the name it is taken by, whatever stands inside: an error told of another name would not refuse it.
                string name = Name.Length > 0 || message is null ? Name : ResourceSink.NameOf(message);
                string key = $"{TypeUrls.ShortName(_typeUrl)}/{(name.Length > 0 ? name : NameOrPlace(_index))}";
                foreach (ConfigIssue issue in own.Issues)
                {
                    issues.Add(issue with { Resource = key, Origin = _origin });
                }
            }

            return message;
        }

        /// <summary>Field 1, which is the name in every type that is subscribed to; of several the last counts, as everywhere.</summary>
        private static string PeekName(ReadOnlyMemory<byte> message)
        {
            string name = "";
            WireReader reader = new(message);
            while (!reader.AtEnd && reader.TryRead(out WireField field))
            {
                if (field is { Number: 1, WireType: WireReader.LengthDelimited })
                {
                    name = Encoding.UTF8.GetString(field.Bytes.Span);
                }
            }

            return name;
        }
    }
}

using Google.Protobuf;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using Any = Google.Protobuf.WellKnownTypes.Any;
using Status = MeshL4.L4Proxy.Config.Protos.Google.Rpc.Status;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// State of the world: each response is everything, each request repeats all names. A version belongs to a type; a refusal repeats the
/// version accepted before. Source: "xDS REST and gRPC protocol" of the Envoy documentation.
/// </summary>
internal sealed class SotwVariant : IDiscoveryVariant
{
    public string MethodPrefix => "Stream";

    public DiscoveryUpdate Read(byte[] bytes, Func<string, Subscription?> find)
    {
        (DiscoveryResponse response, List<DiscoveredResource> resources) = Parse(bytes);
        return new DiscoveryUpdate
        {
            TypeUrl = response.TypeUrl,
            Nonce = response.Nonce,
            Version = response.VersionInfo,
            ControlPlane = response.ControlPlane?.Identifier ?? "",
            Resources = resources,
            Unavailable = DeltaVariant.Errors(response.ResourceErrors),

            // Heartbeats alone say nothing about the others.
            Complete = resources.Count == 0 || resources.Exists(resource => !resource.IsHeartbeat),
        };
    }

    public IMessage? Subscribe(Subscription subscription, Node? node)
    {
        Subscription.Wish wish = subscription.TakeWish(out HashSet<string> again);
        if (again.Count > 0)
        {
            // Only what a request did not name before is sent anew. The names themselves follow with the next call.
            subscription.Told = subscription.Told.Except(again).ToHashSet(StringComparer.Ordinal);
            return Request(subscription, node, subscription.Nonce);
        }

        bool changed = subscription.Requested ? !ReferenceEquals(wish.Names, subscription.Told) && !subscription.Told.SetEquals(wish.Names) : !wish.IsNothing;
        if (!changed)
        {
            return null;
        }

        subscription.Requested = true;
        subscription.Told = wish.Names;
        return Request(subscription, node, subscription.Nonce);
    }

    public IMessage Answer(Subscription subscription, Node? node, string nonce, string? reasons)
    {
        DiscoveryRequest request = Request(subscription, node, nonce);
        request.ErrorDetail = reasons is null ? null : new Status { Code = (int)Grpc.GrpcStatus.InvalidArgument, Message = reasons };
        return request;
    }

    public void Note(Subscription subscription, DiscoveryUpdate update, bool accepted, IReadOnlyCollection<string> held)
    {
        if (accepted)
        {
            subscription.Version = update.Version;
        }
    }

    private static DiscoveryRequest Request(Subscription subscription, Node? node, string nonce)
    {
        var request = new DiscoveryRequest
        {
            TypeUrl = subscription.TypeUrl, VersionInfo = subscription.Version, ResponseNonce = nonce, Node = node,
        };
        request.ResourceNames.AddRange(subscription.Told.Order(StringComparer.Ordinal));
        return request;
    }

    private static (DiscoveryResponse Response, List<DiscoveredResource> Resources) Parse(byte[] bytes)
    {
        try
        {
            DiscoveryResponse response = DiscoveryResponse.Parser.ParseFrom(bytes);
            return (response, [.. response.Resources.Select(Unwrap)]);
        }
        catch (InvalidProtocolBufferException) when (BrokenResponse.TrySplit(bytes, out byte[] rest, out List<ReadOnlyMemory<byte>> resources))
        {
            return (DiscoveryResponse.Parser.ParseFrom(rest),
                [.. resources.Select(one => BrokenResponse.Read(one, () => Unwrap(Any.Parser.ParseFrom(one.Span)), default))]);
        }
    }

    /// <summary>A resource may stand in an envelope, which gives it a time to live.</summary>
    private static DiscoveredResource Unwrap(Any resource)
    {
        if (!TypedConfig.Is<Resource>(resource))
        {
            return new DiscoveredResource("", "", null, resource);
        }

        return BrokenResponse.Read(resource.Value.Memory, () => Open(Resource.Parser.ParseFrom(resource.Value)), resource.Value.Memory);
    }

    private static DiscoveredResource Open(Resource envelope) => new(envelope.Name, "", DeltaVariant.TimeToLive(envelope), envelope.Resource_);
}

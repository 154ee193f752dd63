using Google.Protobuf;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using Status = MeshL4.L4Proxy.Config.Protos.Google.Rpc.Status;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>
/// Delta: responses carry what changed, requests what is newly wanted or no longer. A version belongs to a resource. A change of the
/// subscription never rides on an acknowledgement. Source: "xDS REST and gRPC protocol" of the Envoy documentation.
/// </summary>
internal sealed class DeltaVariant : IDiscoveryVariant
{
    public string MethodPrefix => "Delta";

    public DiscoveryUpdate Read(byte[] bytes, Func<string, Subscription?> find)
    {
        (DeltaDiscoveryResponse response, List<DiscoveredResource> resources) = Parse(bytes);
        Subscription? subscription = find(response.TypeUrl);
        List<string> absent = Absent(response, resources, subscription);
        return new DiscoveryUpdate
        {
            TypeUrl = response.TypeUrl,
            Nonce = response.Nonce,
            Version = response.SystemVersionInfo,
            ControlPlane = response.ControlPlane?.Identifier ?? "",
            Resources = resources,
            Removed = [.. response.RemovedResources, .. response.RemovedResourceNames.Select(removed => removed.Name)],
            Unavailable = [.. Errors(response.ResourceErrors), .. absent.Select(static name => KeyValuePair.Create(name, "does not exist"))],
            Complete = subscription?.ExpectsWorld ?? false,
            Delta = true,
        };
    }

    public IMessage? Subscribe(Subscription subscription, Node? node)
    {
        Subscription.Wish wish = subscription.TakeWish(out HashSet<string> again);
        if (subscription.Requested && ReferenceEquals(wish.Names, subscription.Told))
        {
            return null;
        }

        // A server answers a subscription it knows already, too: discovery.proto, resource_names_subscribe.
        List<string> added = [.. wish.Names.Except(subscription.Told).Concat(again).Order(StringComparer.Ordinal)];
        List<string> gone = [.. subscription.Told.Except(wish.Names).Order(StringComparer.Ordinal)];
        bool first = !subscription.Requested;
        if (first ? wish.IsNothing : added.Count == 0 && gone.Count == 0)
        {
            return null;
        }

        var request = new DeltaDiscoveryRequest { TypeUrl = subscription.TypeUrl, Node = node };
        request.ResourceNamesSubscribe.AddRange(added);
        request.ResourceNamesUnsubscribe.AddRange(gone);
        gone.ForEach(name => subscription.Held.Remove(name));
        if (first)
        {
            request.InitialResourceVersions.Add(subscription.Held);
        }

        subscription.Requested = true;
        subscription.Told = wish.Names;
        return request;
    }

    public IMessage Answer(Subscription subscription, Node? node, string nonce, string? reasons) => new DeltaDiscoveryRequest
    {
        TypeUrl = subscription.TypeUrl,
        Node = node,
        ResponseNonce = nonce,
        ErrorDetail = reasons is null ? null : new Status { Code = (int)Grpc.GrpcStatus.InvalidArgument, Message = reasons },
    };

    /// <summary>A refused resource keeps the version it had, so that the server sends it again to the next stream.</summary>
    public void Note(Subscription subscription, DiscoveryUpdate update, bool accepted, IReadOnlyCollection<string> held)
    {
        subscription.ExpectsWorld = false;
        foreach (string name in update.Removed)
        {
            subscription.Held.Remove(name);
        }

        var good = held.ToHashSet(StringComparer.Ordinal);
        foreach (DiscoveredResource resource in update.Resources.Where(resource => resource.Body is not null && good.Contains(resource.Name)))
        {
            subscription.Held[resource.Name] = resource.Version;
        }
    }

    /// <summary>The server's reasons for resources it cannot give.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>> Errors(IEnumerable<ResourceError> errors)
        => [.. errors.Select(error => KeyValuePair.Create(error.ResourceName?.Name ?? "", error.ErrorDetail?.Message ?? ""))];

    /// <summary>Null for none, and for one longer than a timer can measure. A negative one has run out already.</summary>
    public static TimeSpan? TimeToLive(Resource envelope)
        => envelope.Ttl is { } ttl && ttl.Seconds < (long)Decoding.StreamSourceConfig.LongestTimer.TotalSeconds
            ? TimeSpan.FromSeconds(Math.Max(ttl.Seconds + (ttl.Nanos / 1e9), 0)) : null;

    /// <summary>
    /// Names of which nothing came yet, and of which the server says that there is nothing: by a resource without a body, which is taken
    /// out, or as removed.
    /// </summary>
    private static List<string> Absent(DeltaDiscoveryResponse response, List<DiscoveredResource> resources, Subscription? subscription)
    {
        bool Lacks(string name) => subscription?.Held.ContainsKey(name) != true;
        List<string> absent = [.. resources.Where(one => one.TellsAbsence && Lacks(one.Name)).Select(static one => one.Name)];
        resources.RemoveAll(one => one.TellsAbsence && Lacks(one.Name));
        absent.AddRange(response.RemovedResources.Concat(response.RemovedResourceNames.Select(static removed => removed.Name)).Where(Lacks));
        return absent;
    }

    private static (DeltaDiscoveryResponse Response, List<DiscoveredResource> Resources) Parse(byte[] bytes)
    {
        try
        {
            DeltaDiscoveryResponse response = DeltaDiscoveryResponse.Parser.ParseFrom(bytes);
            return (response, [.. response.Resources.Select(Open)]);
        }
        catch (InvalidProtocolBufferException) when (BrokenResponse.TrySplit(bytes, out byte[] rest, out List<ReadOnlyMemory<byte>> resources))
        {
            return (DeltaDiscoveryResponse.Parser.ParseFrom(rest),
                [.. resources.Select(one => BrokenResponse.Read(one, () => Open(Resource.Parser.ParseFrom(one.Span)), one))]);
        }
    }

    private static DiscoveredResource Open(Resource envelope) => new(NameOf(envelope), envelope.Version, TimeToLive(envelope), envelope.Resource_)
    {
        TellsAbsence = envelope.Resource_ is null && envelope.Ttl is null,
    };

    private static string NameOf(Resource resource) => resource.Name.Length > 0 ? resource.Name : resource.ResourceName?.Name ?? "";
}

using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Validating;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Config.Files;

/// <summary>Reads a <c>DiscoveryResponse</c> file into an update.</summary>
internal static class FileResources
{
    /// <summary>The update in the file's bytes; <paramref name="version"/> is taken where the response has no <c>version_info</c>.</summary>
    public static ResourceUpdate Read(string path, byte[] content, string typeUrl, string version)
    {
        var issues = new IssueCollector();
        DiscoveryResponse? response = content.Length == 0
            ? null
            : ConfigMessageReader.Read<DiscoveryResponse>(content, Bootstrap.BootstrapReader.FormatOf(path), path, ConfigSourceKind.File, issues);
        if (response is null)
        {
            if (!issues.HasErrorsOutsideResources)
            {
                issues.Add(new ConfigIssue(IssueSeverity.Error, "", "is empty", Origin: path));
            }

            return new ResourceUpdate(typeUrl, version, path, [], issues);
        }

        return new ResourceUpdate(
            typeUrl, response.VersionInfo.Length > 0 ? response.VersionInfo : version, path, OfferedResource.Of(Unpack(response, path, typeUrl, issues)), issues);
    }

    private static List<Google.Protobuf.IMessage> Unpack(DiscoveryResponse response, string path, string typeUrl, IssueCollector issues)
    {
        var scope = new DecodeScope(issues, "", null, path);
        var resources = new List<Google.Protobuf.IMessage>(response.Resources.Count);
        for (int i = 0; i < response.Resources.Count; i++)
        {
            if (UnpackOne(response.Resources[i], typeUrl, scope.Item("resources", i)) is { } message)
            {
                resources.Add(message);
            }
        }

        return resources;
    }

    private static Google.Protobuf.IMessage? UnpackOne(Any resource, string typeUrl, DecodeScope scope)
    {
        Any inner = resource;
        if (TypedConfig.Is<Resource>(resource) && TypedConfig.Unpack<Resource>(resource, scope)?.Resource_ is { } wrapped)
        {
            inner = wrapped;
        }

        if (inner.TypeUrl != typeUrl)
        {
            scope.Error($"is a '{inner.TypeUrl}' where a '{typeUrl}' belongs");
            return null;
        }

        return typeUrl switch
        {
            TypeUrls.Listener => TypedConfig.Unpack<Protos.Envoy.Config.Listener.V3.Listener>(inner, scope),
            TypeUrls.Cluster => TypedConfig.Unpack<Protos.Envoy.Config.Cluster.V3.Cluster>(inner, scope),
            TypeUrls.Routes => TypedConfig.Unpack<Protos.Envoy.Config.Route.V3.RouteConfiguration>(inner, scope),
            TypeUrls.Secret => TypedConfig.Unpack<Protos.Envoy.Extensions.TransportSockets.Tls.V3.Secret>(inner, scope),
            TypeUrls.ExtensionConfig => TypedConfig.Unpack<Protos.Envoy.Config.Core.V3.TypedExtensionConfig>(inner, scope),
            _ => TypedConfig.Unpack<Protos.Envoy.Config.Endpoint.V3.ClusterLoadAssignment>(inner, scope),
        };
    }
}

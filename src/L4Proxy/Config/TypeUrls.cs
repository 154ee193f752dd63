namespace MeshL4.L4Proxy.Config;

/// <summary>Type URLs of the resources this proxy takes.</summary>
internal static class TypeUrls
{
    public const string Listener = "type.googleapis.com/envoy.config.listener.v3.Listener";

    public const string Cluster = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

    public const string Endpoints = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

    /// <summary>The names of the mesh, for the DNS proxy.</summary>
    public const string NameTable = "type.googleapis.com/istio.networking.nds.v1.NameTable";

    /// <summary>What the one table is called here: control planes give it no name, or any.</summary>
    public const string NameTableName = "name_table";

    public const string Routes = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

    public const string Secret = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

    public const string ExtensionConfig = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

    /// <summary><c>Listener</c> of <see cref="Listener"/>: the first part of a resource's key in issues.</summary>
    public static string ShortName(string typeUrl) => typeUrl[(typeUrl.LastIndexOfAny(['.', '/']) + 1)..];
}

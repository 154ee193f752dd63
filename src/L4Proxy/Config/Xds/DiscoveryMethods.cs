using MeshL4.L4Proxy.Config.Decoding;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>The services of the API: which method carries which type.</summary>
internal static class DiscoveryMethods
{
    /// <summary>The method's path.</summary>
    /// <param name="typeUrl">The type, or null for the aggregated service.</param>
    /// <param name="variant">State of the world or delta.</param>
    public static string Of(string? typeUrl, IDiscoveryVariant variant) => typeUrl switch
    {
        null => $"/envoy.service.discovery.v3.AggregatedDiscoveryService/{variant.MethodPrefix}AggregatedResources",
        TypeUrls.Listener => $"/envoy.service.listener.v3.ListenerDiscoveryService/{variant.MethodPrefix}Listeners",
        TypeUrls.Cluster => $"/envoy.service.cluster.v3.ClusterDiscoveryService/{variant.MethodPrefix}Clusters",
        TypeUrls.Routes => $"/envoy.service.route.v3.RouteDiscoveryService/{variant.MethodPrefix}Routes",
        TypeUrls.Secret => $"/envoy.service.secret.v3.SecretDiscoveryService/{variant.MethodPrefix}Secrets",
        TypeUrls.ExtensionConfig => $"/envoy.service.extension.v3.ExtensionConfigDiscoveryService/{variant.MethodPrefix}ExtensionConfigs",
        _ => $"/envoy.service.endpoint.v3.EndpointDiscoveryService/{variant.MethodPrefix}Endpoints",
    };

    /// <summary>Name of the aggregated stream.</summary>
    public const string Aggregated = "ads";

    /// <summary>Whose the resources of a stream of a single type are.</summary>
    public static string SourceOf(string typeUrl, ControlPlaneConfig plane) => ShortName(typeUrl) + "@" + plane.Id;

    /// <summary>Whether resources of this source came over a stream.</summary>
    public static bool IsStream(string source)
        => source == Aggregated || (source.Contains('#') && source.Split('@')[0] is "lds" or "cds" or "eds" or "rds" or "sds" or "ecds");

    /// <summary><c>lds</c>, <c>cds</c>, <c>eds</c> and so on.</summary>
    public static string ShortName(string typeUrl) => typeUrl switch
    {
        TypeUrls.Listener => "lds",
        TypeUrls.Cluster => "cds",
        TypeUrls.NameTable => "nds",
        TypeUrls.Routes => "rds",
        TypeUrls.Secret => "sds",
        TypeUrls.ExtensionConfig => "ecds",
        _ => "eds",
    };
}

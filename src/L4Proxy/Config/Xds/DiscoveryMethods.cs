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
        _ => $"/envoy.service.endpoint.v3.EndpointDiscoveryService/{variant.MethodPrefix}Endpoints",
    };

    /// <summary>Name of the aggregated stream.</summary>
    public const string Aggregated = "ads";

    /// <summary>Whether resources of this source came over a stream.</summary>
    public static bool IsStream(string source) => source is Aggregated or "lds" or "cds" or "eds";

    /// <summary><c>lds</c>, <c>cds</c>, <c>nds</c> or <c>eds</c>.</summary>
    public static string ShortName(string typeUrl) => typeUrl switch
    {
        TypeUrls.Listener => "lds",
        TypeUrls.Cluster => "cds",
        TypeUrls.NameTable => "nds",
        _ => "eds",
    };
}

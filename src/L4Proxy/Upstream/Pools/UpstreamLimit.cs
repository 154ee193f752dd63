namespace MeshL4.L4Proxy.Upstream.Pools;

/// <summary>Limits at which a request gets no connection, each by its name in the configuration: words of the error that its client gets.</summary>
internal static class UpstreamLimit
{
    /// <summary>Of all connections to a cluster.</summary>
    public const string Connections = "no connection to the upstream: max_connections of the cluster is reached";

    /// <summary>Of those of single clients.</summary>
    public const string Pinned = "no connection to the upstream: max_pinned_connections is reached";

    /// <summary>Of those to one address whose server said GoAway and still owes answers.</summary>
    public const string Ending = "no connection to the upstream: its server takes no more requests on too many that it owes answers on";

    /// <summary>Of new ones in a second.</summary>
    public const string ConnectionRate = "no connection to the upstream: connection_rate_limit is reached";
}

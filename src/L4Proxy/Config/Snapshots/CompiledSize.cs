using System.Net;

namespace MeshL4.L4Proxy.Config.Snapshots;

/// <summary>
/// What compiled resources hold, counted from the sizes of their objects in a 64-bit runtime. Objects that several resources have in
/// common count for none of them. An estimate, which a test holds against the collector's own figures.
/// </summary>
internal static class CompiledSize
{
    /// <summary>As configured, as balanced, live state, the references between them.</summary>
    private const int Endpoint = 72 + 64 + 48 + (4 * 8);

    /// <summary>An IP address with its port; the address is an object of its own.</summary>
    private const int SocketAddress = 32 + 40;

    /// <summary>The cluster as configured and with its endpoints, its counters, limits and state, and its places in the tables.</summary>
    private const int Cluster = 1500;

    /// <summary>The assignment's place in its table.</summary>
    private const int Assignment = 150;
    private const int Listener = 1200;
    private const int Chain = 700;

    /// <summary>A host with its lists of addresses and its place in the index of names.</summary>
    private const int Name = 200;

    /// <summary>An address and its place in a list.</summary>
    private const int NamedAddress = 48;

    /// <summary>A resource that others name: its place in the table of its source, with its fingerprint, and what says that it came.</summary>
    private const int Named = 130;

    /// <summary>Settings of filters are objects of many kinds: so many times their length as sent.</summary>
    private const int Settings = 10;

    /// <summary>Name and type of settings, which are sent with them.</summary>
    private const int Envelope = 100;

    /// <summary>
    /// Compiled bytes of a resource that others name. Of routes and secrets little more than the name is kept: the L7 engine routes, and what
    /// uses a secret reads it anew.
    /// </summary>
    /// <param name="resource">Its type and name.</param>
    /// <param name="wire">Its length as sent.</param>
    public static long OfNamed(ResourceKey resource, int wire) =>
        Named + Text(resource.Name) + (resource.TypeUrl == TypeUrls.ExtensionConfig ? Settings * (long)Math.Max(0, wire - Envelope) : 0);

    /// <summary>Compiled bytes by type URL, of the types that a snapshot has.</summary>
    public static IReadOnlyDictionary<string, long> Of(ProxySnapshot snapshot) => new Dictionary<string, long>(StringComparer.Ordinal)
    {
        [TypeUrls.Cluster] = snapshot.Clusters.Values.Sum(static cluster => Cluster + (2 * Text(cluster.Name)) + (IsAssigned(cluster) ? 0 : Endpoints(cluster))),
        [TypeUrls.Endpoints] = snapshot.Clusters.Values.Where(IsAssigned).Sum(static cluster => Assignment + (2 * Text(cluster.EdsServiceName)) + Endpoints(cluster)),
        [TypeUrls.Listener] = snapshot.Listeners.Sum(static listener => Listener + Text(listener.Name) + (Chain * (long)listener.FilterChains.Length)),
        [TypeUrls.NameTable] = snapshot.Names?.Entries.Sum(Host) ?? 0,
    };

    private static bool IsAssigned(ClusterSnapshot cluster) => cluster.Discovery == ClusterDiscovery.Eds;

    private static long Endpoints(ClusterSnapshot cluster)
        => cluster.Endpoints.Sum(static one => Endpoint + (one.Address is IPEndPoint ? SocketAddress : 200) + (one.Hostname.Length > 0 ? Text(one.Hostname) : 0));

    private static long Host(NameEntry entry)
        => Name + Text(entry.Host) + Text(entry.ServiceName) + (NamedAddress * (long)(entry.V4.Length + entry.V6.Length)) + entry.OtherNames.Sum(Text);

    private static long Text(string text) => 22 + (2L * text.Length);
}

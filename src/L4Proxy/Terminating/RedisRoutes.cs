using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Terminating;

/// <summary>Prefix routes of one <c>redis_proxy</c>, compiled once: the longest prefix that fits a key takes it.</summary>
internal sealed class RedisRoutes
{
    /// <summary>Neither a route nor a catch-all.</summary>
    public static readonly RedisRoute None = new("", [], 0);

    private readonly RedisRoute[] _routes;
    private readonly bool _ignoreCase;

    public RedisRoutes(RedisProxySnapshot snapshot)
    {
        _ignoreCase = snapshot.CaseInsensitivePrefixes;
        CatchAll = snapshot.CatchAllCluster is { } cluster ? new RedisRoute(cluster, [], 0) : None;
        _routes = [.. snapshot.Routes
            .Select(static r => (Route: r, Bytes: Encoding.UTF8.GetBytes(r.Prefix)))
            .OrderByDescending(static r => r.Bytes.Length)
            .Select(static r => new RedisRoute(r.Route.Cluster, r.Bytes, r.Route.RemovePrefix ? r.Bytes.Length : 0))];
    }

    /// <summary>Takes keys without a prefix, and commands without a key.</summary>
    public RedisRoute CatchAll { get; }

    /// <summary>Whether keys matter at all.</summary>
    public bool HasPrefixes => _routes.Length > 0;

    /// <summary>Bytes of a key that decide.</summary>
    public int LongestPrefix => _routes.Length > 0 ? _routes[0].Prefix.Length : 0;

    public RedisRoute Find(ReadOnlySpan<byte> key)
    {
        foreach (RedisRoute route in _routes)
        {
            ReadOnlySpan<byte> prefix = route.Prefix;
            if (key.Length >= prefix.Length
                && (_ignoreCase ? Ascii.EqualsIgnoreCase(key[..prefix.Length], prefix) : key.StartsWith(prefix)))
            {
                return route;
            }
        }

        return CatchAll;
    }
}

/// <summary>Where keys of one prefix go.</summary>
/// <param name="Cluster">Cluster's name; empty for no route.</param>
/// <param name="Prefix">First bytes of the keys.</param>
/// <param name="Remove">Bytes to take off the key's front.</param>
internal sealed record RedisRoute(string Cluster, byte[] Prefix, int Remove)
{
    public bool IsNone => Cluster.Length == 0;
}

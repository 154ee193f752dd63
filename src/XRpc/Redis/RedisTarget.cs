namespace MeshL4.XRpc.Redis;

/// <summary>Where a key lives.</summary>
/// <param name="Node">Equal numbers mean that one connection can serve both; negative: no route takes the key.</param>
/// <param name="RemovePrefix">Bytes to take off the key's front.</param>
public readonly record struct RedisTarget(long Node, int RemovePrefix = 0)
{
    /// <summary>No route takes the key.</summary>
    public static RedisTarget None => new(-1);

    /// <summary>Whether no route takes the key.</summary>
    public bool IsNone => Node < 0;
}

/// <summary>Tells where keys live. Implemented by the runtime over its routes and nodes; a struct, so that calls are direct.</summary>
public interface IRedisTargets
{
    /// <summary>Where a key lives.</summary>
    /// <param name="key">The key as the client sent it.</param>
    /// <param name="readOnly">Whether the command only reads, so that a replica may serve it.</param>
    RedisTarget Find(ReadOnlySpan<byte> key, bool readOnly);

    /// <summary>A node of the default route, which takes what has no key.</summary>
    /// <param name="readOnly">Whether the command only reads.</param>
    RedisTarget Default(bool readOnly);

    /// <summary>The node of the default route that is the same for every client and every proxy of the same nodes.</summary>
    RedisTarget Home();

    /// <summary>Number of nodes that a command for all nodes goes to.</summary>
    /// <param name="everyCluster">Nodes of every cluster that routes name; else those of the default route.</param>
    int CountNodes(bool everyCluster);

    /// <summary>One of those nodes.</summary>
    /// <param name="everyCluster">As for <see cref="CountNodes"/>.</param>
    /// <param name="index">From 0; the order is the same as long as the nodes are.</param>
    RedisTarget Node(bool everyCluster, int index);
}

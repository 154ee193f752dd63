using System.Text;
using MeshL4.XRpc.Redis;

namespace MeshL4.XRpc.Tests.Redis;

/// <summary>
/// Nodes by hash of the key; keys that begin with <c>p:</c> lose that, keys that begin with <c>none:</c> have no node, and with
/// <paramref name="replica"/> reading goes to node + 100.
/// </summary>
internal struct FixedTargets(int nodes, bool replica = false) : IRedisTargets
{
    public readonly RedisTarget Find(ReadOnlySpan<byte> key, bool readOnly) =>
        key.StartsWith("none:"u8) ? RedisTarget.None : new RedisTarget(NodeOf(key) + Offset(readOnly), key.StartsWith("p:"u8) ? 2 : 0);

    public readonly RedisTarget Default(bool readOnly) => nodes == 0 ? RedisTarget.None : new RedisTarget(Offset(readOnly));

    public readonly RedisTarget Home() => nodes == 0 ? RedisTarget.None : new RedisTarget(nodes - 1);

    public readonly int CountNodes(bool everyCluster) => nodes;

    public readonly RedisTarget Node(bool everyCluster, int index) => new(index);

    public readonly int NodeOf(string key) => NodeOf(Encoding.Latin1.GetBytes(key));

    private readonly int NodeOf(ReadOnlySpan<byte> key) => (int)(RedisKeyHash.Of(RedisKeyHash.HashTag(key)) % (ulong)Math.Max(nodes, 1));

    private readonly int Offset(bool readOnly) => replica && readOnly ? 100 : 0;
}

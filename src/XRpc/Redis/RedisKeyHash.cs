namespace MeshL4.XRpc.Redis;

/// <summary>What of a key chooses its node. What hashes it is the proxy's own: a key is not where Envoy's ring puts it.</summary>
public static class RedisKeyHash
{
    /// <summary>
    /// The part of a key that decides: what stands between the first <c>{</c> and the <c>}</c> that follows it, when that is not
    /// empty, else all of it. Keys with the same tag are on one node (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
    /// </summary>
    /// <param name="key">Any bytes.</param>
    public static ReadOnlySpan<byte> HashTag(ReadOnlySpan<byte> key)
    {
        int open = key.IndexOf((byte)'{');
        if (open < 0)
        {
            return key;
        }

        int length = key[(open + 1)..].IndexOf((byte)'}');
        return length > 0 ? key.Slice(open + 1, length) : key;
    }
}

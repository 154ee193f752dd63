using System.Buffers.Binary;

namespace MeshL4.XRpc.Redis;

/// <summary>
/// What of a key chooses its node, and a number for it: MurmurHash2 for 64 bits with the seed of libstdc++. The proxy's rings take the tag alone and
/// have a hash of their own, so a key is not where Envoy's ring puts it.
/// </summary>
public static class RedisKeyHash
{
    private const ulong Multiplier = 0xC6A4A7935BD1E995;
    private const ulong Seed = 0xC70F6907;

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

    /// <summary>The hash of bytes, tags not looked at.</summary>
    /// <param name="key">Any bytes.</param>
    public static ulong Of(ReadOnlySpan<byte> key)
    {
        ulong hash = Seed ^ ((ulong)key.Length * Multiplier);
        for (; key.Length >= 8; key = key[8..])
        {
            ulong block = BinaryPrimitives.ReadUInt64LittleEndian(key) * Multiplier;
            block = (block ^ (block >> 47)) * Multiplier;
            hash = (hash ^ block) * Multiplier;
        }

        if (!key.IsEmpty)
        {
            ulong rest = 0;
            for (int i = key.Length - 1; i >= 0; i--)
            {
                rest = (rest << 8) | key[i];
            }

            hash = (hash ^ rest) * Multiplier;
        }

        hash = (hash ^ (hash >> 47)) * Multiplier;
        return hash ^ (hash >> 47);
    }
}

namespace MeshL4.L4Proxy.Balancing;

/// <summary>
/// A hash that is the same in every process and on every machine, so that all sidecars send a key to the same endpoint:
/// FNV-1a over the bytes, then the 64-bit finalizer of MurmurHash3, which spreads what short texts leave close together.
/// Whoever chooses keys can make them collide; that costs balance, nothing else.
/// </summary>
internal static class StableHash
{
    private const ulong Basis = 14_695_981_039_346_656_037;
    private const ulong Prime = 1_099_511_628_211;

    /// <summary>Hash of <paramref name="bytes"/>; <paramref name="seed"/> gives independent ones.</summary>
    public static ulong Of(ReadOnlySpan<byte> bytes, ulong seed = 0)
    {
        ulong hash = Basis ^ Mix(seed);
        foreach (byte value in bytes)
        {
            hash = (hash ^ value) * Prime;
        }

        return Mix(hash);
    }

    /// <summary>Another hash of the same key, independent of <paramref name="hash"/>.</summary>
    public static ulong Again(ulong hash) => Mix(hash + Prime);

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 33)) * 0xff51afd7ed558ccd;
        value = (value ^ (value >> 33)) * 0xc4ceb9fe1a85ec53;
        return value ^ (value >> 33);
    }
}

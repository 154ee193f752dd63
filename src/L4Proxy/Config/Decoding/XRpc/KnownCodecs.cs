using System.Collections.Concurrent;
using MeshL4.XRpc.Contracts;
using MeshL4.XRpc.Redis;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>The codecs a configuration may name. Filled before the first configuration is read.</summary>
internal static class KnownCodecs
{
    private static readonly ConcurrentDictionary<string, CodecTraits> ByName = new(StringComparer.Ordinal)
    {
        [RespCodec.Traits.Name] = RespCodec.Traits,
    };

    /// <summary>Names in their order, for messages.</summary>
    public static IEnumerable<string> Names => ByName.Keys.Order(StringComparer.Ordinal);

    /// <summary>Null for a name no codec has.</summary>
    public static CodecTraits? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>Makes a codec's name known.</summary>
    /// <exception cref="ArgumentException">Another codec has the name.</exception>
    public static void Add(CodecTraits traits)
    {
        if (ByName.GetOrAdd(traits.Name, traits) != traits)
        {
            throw new ArgumentException($"there is a codec '{traits.Name}' already");
        }
    }
}

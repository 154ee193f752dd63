using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Tests;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Redis;

namespace MeshL4.Codecs.Tests;

/// <summary>Every codec there is. One that is not here is not tested: add it with its frames.</summary>
internal static class AllCodecs
{
    public static IReadOnlyList<ICodecConformance> Kits { get; } =
        [new CodecConformance<RespCodec>(RedisSample.Value), new CodecConformance<PingPongCodec>(PingPongSample.Value)];

    public static ICodecConformance Kit(string name) => Kits.Single(kit => kit.Name == name);
}

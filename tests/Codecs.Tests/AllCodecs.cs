using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Tests;
using MeshL4.TestKit.Codecs;
using MeshL4.XRpc.Redis;

namespace MeshL4.Codecs.Tests;

/// <summary>Every codec there is. One that is not here is not tested: add it with its frames.</summary>
internal static class AllCodecs
{
    /// <summary>The sample's too: no codec may take its frames, and the fuzzer's command takes its name.</summary>
    public static IReadOnlyList<ICodecConformance> Kits { get; } =
        [new CodecConformance<RespCodec>(RedisSample.Value), new CodecConformance<PingPongCodec>(PingPongSample.Value)];

    /// <summary>Those whose tests are here; the sample's are beside it, in <c>samples/PingPong.Tests</c>, as in an author's own project.</summary>
    public static IReadOnlyList<ICodecConformance> OfTheBuild { get; } = [.. Kits.Where(static kit => kit.Name != PingPongCodec.Traits.Name)];

    public static ICodecConformance Kit(string name) => Kits.Single(kit => kit.Name == name);
}

using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Tests;
using MeshL4.TestKit.Codecs;

namespace MeshL4.Codecs.Tests;

/// <summary>Every codec there is: those of the build are in the kit, so that authors elsewhere have them too.</summary>
internal static class AllCodecs
{
    /// <summary>The sample's too: no codec may take its frames.</summary>
    public static IReadOnlyList<ICodecConformance> Kits { get; } =
        [.. CodecsOfTheBuild.Kits, new CodecConformance<PingPongCodec>(PingPongSample.Value)];

    /// <summary>Those whose tests are here; the sample's are beside it, in <c>samples/PingPong.Tests</c>, as in an author's own project.</summary>
    public static IReadOnlyList<ICodecConformance> OfTheBuild => CodecsOfTheBuild.Kits;

    public static ICodecConformance Kit(string name) => Kits.Single(kit => kit.Name == name);
}

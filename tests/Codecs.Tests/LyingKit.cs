using MeshL4.Samples.PingPong.Tests;
using MeshL4.TestKit.Codecs;

namespace MeshL4.Codecs.Tests;

/// <summary>The kit over the sample codec with one lie.</summary>
internal static class LyingKit
{
    public static CodecConformance<LyingCodec<TLie>> Of<TLie>()
        where TLie : ILie => new(PingPongSample.Value);
}

/// <summary>None.</summary>
internal sealed class Truth : ILie;

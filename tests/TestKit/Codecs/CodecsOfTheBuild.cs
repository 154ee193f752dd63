using MeshL4.XRpc.Redis;

namespace MeshL4.TestKit.Codecs;

/// <summary>The protocols that every proxy of this build has, for the detection matrix of a codec that is to stand beside them.</summary>
public static class CodecsOfTheBuild
{
    /// <summary>Their kits.</summary>
    public static IReadOnlyList<ICodecConformance> Kits { get; } = [new CodecConformance<RespCodec>(RedisSample.Value)];
}

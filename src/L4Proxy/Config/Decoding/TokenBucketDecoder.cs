using MeshL4.L4Proxy.Filtering;
using EnvoyTokenBucket = MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3.TokenBucket;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles <c>envoy.type.v3.TokenBucket</c>, of a connection's limit and of a request's.</summary>
internal static class TokenBucketDecoder
{
    private static readonly TimeSpan ShortestFill = TimeSpan.FromMilliseconds(50);

    /// <summary>A full bucket; null with errors in the scope.</summary>
    public static TokenBucket? Decode(EnvoyTokenBucket bucket, DecodeScope scope)
    {
        uint filled = bucket.TokensPerFill ?? 1;
        if (bucket.MaxTokens == 0)
        {
            scope.Field("max_tokens").Error("must be at least 1");
        }

        if (filled == 0)
        {
            scope.Field("tokens_per_fill").Error("must be at least 1");
        }

        TimeSpan? interval = scope.Duration("fill_interval", bucket.FillInterval);
        if (bucket.FillInterval is null || interval < ShortestFill)
        {
            scope.Field("fill_interval").Error("must be at least 50 ms");
        }

        return interval >= ShortestFill && bucket.MaxTokens > 0 && filled > 0
            ? new TokenBucket(bucket.MaxTokens, filled, interval.Value, TimeProvider.System)
            : null;
    }
}

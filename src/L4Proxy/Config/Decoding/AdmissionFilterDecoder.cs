using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Common.SetFilterState.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.ConnectionLimit.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.LocalRatelimit.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Reporting.AccessLogging;
using SetFilterState = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.SetFilterState.V3.Config;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the small non-terminal filters. Null when a filter is switched off, or with errors in the scope.</summary>
internal static class AdmissionFilterDecoder
{
    public static ConnectionLimitSnapshot? Decode(ConnectionLimit limit, DecodeScope scope)
    {
        if (limit.MaxConnections is not { } max || max is 0 or > long.MaxValue)
        {
            scope.Field("max_connections").Error("must be at least 1");
            return null;
        }

        TimeSpan delay = scope.Duration("delay", limit.Delay) ?? TimeSpan.Zero;
        return limit.RuntimeEnabled is { DefaultValue: false } ? null : new ConnectionLimitSnapshot(limit.StatPrefix, (long)max, delay);
    }

    public static LocalRateLimitSnapshot? Decode(LocalRateLimit limit, DecodeScope scope)
    {
        if (limit.ShareKey.Length > 0)
        {
            // A bucket for each chain would let more through than one for all.
            scope.Field("share_key").Error("sharing one bucket between filters is not supported");
        }

        if (limit.TokenBucket is not { } bucket)
        {
            scope.Field("token_bucket").Error("is required");
            return null;
        }

        return TokenBucketDecoder.Decode(bucket, scope.Field("token_bucket")) is { } tokens && limit.RuntimeEnabled is not { DefaultValue: false }
            ? new LocalRateLimitSnapshot(limit.StatPrefix, tokens) : null;
    }

    public static SetFilterStateSnapshot Decode(SetFilterState set, DecodeScope scope)
    {
        var entries = ImmutableArray.CreateBuilder<FilterStateEntry>(set.OnNewConnection.Count);
        for (int i = 0; i < set.OnNewConnection.Count; i++)
        {
            if (Entry(set.OnNewConnection[i], scope.Item("on_new_connection", i)) is { } entry)
            {
                entries.Add(entry);
            }
        }

        return new SetFilterStateSnapshot(entries.ToImmutable());
    }

    private static FilterStateEntry? Entry(FilterStateValue value, DecodeScope scope)
    {
        if (value.ObjectKey.Length == 0)
        {
            scope.Field("object_key").Error("is required");
        }

        if (value.FormatString?.TextFormatSource?.InlineString is not { Length: > 0 } text)
        {
            scope.Field("format_string").Error("a text_format_source with an inline_string is required");
            return null;
        }

        if (AccessLogFormat.TryCompile(text, out AccessLogFormat? format, out string error))
        {
            return new FilterStateEntry(value.ObjectKey, format!, value.SkipIfEmpty);
        }

        scope.Field("format_string").Error(error);
        return null;
    }
}

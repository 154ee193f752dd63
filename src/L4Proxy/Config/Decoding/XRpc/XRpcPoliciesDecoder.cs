using System.Collections.Immutable;
using System.Text;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Compiles <c>meshl4.xrpc.v1.Policies</c>. Each policy that is not set is the one of <c>defaults</c>.</summary>
internal static class XRpcPoliciesDecoder
{
    private const int MostRetries = 10;
    private const int MostCopies = 3;
    private const uint RetriesAlways = 3;
    private static readonly Share DefaultBudget = new(200_000);

    public static XRpcPoliciesSnapshot Decode(Policies? policies, XRpcPoliciesSnapshot defaults, CodecVocabulary codec, DecodeScope scope)
    {
        if (policies is null)
        {
            return defaults;
        }

        XRpcRetrySnapshot? retry = policies.Retry is { } own ? Retry(own, scope.Field("retry")) : defaults.Retry;
        return new XRpcPoliciesSnapshot
        {
            Timeout = scope.Duration("timeout", policies.Timeout) ?? defaults.Timeout,
            Retry = retry,
            Hedge = policies.Hedge is { } hedge ? Hedge(hedge, retry, codec, scope.Field("hedge")) : defaults.Hedge,
            Mirrors = policies.Mirrors.Count > 0 ? Mirrors(policies.Mirrors, scope) : defaults.Mirrors,
            Faults = policies.Faults.Count > 0 ? Faults(policies.Faults, codec, scope) : defaults.Faults,
            RateLimit = policies.RateLimit is { } limit ? TokenBucketDecoder.Decode(limit, scope.Field("rate_limit")) : defaults.RateLimit,
            Authorization = policies.Authorization is { } rules ? XRpcAuthorizationDecoder.Decode(rules, codec, scope.Field("authorization")) : defaults.Authorization,
            RequestMetadata = policies.RequestMetadata.Count > 0 ? Mutations(policies.RequestMetadata, codec, scope) : defaults.RequestMetadata,
            RequestLog = policies.RequestLog is { } log ? XRpcRequestLogDecoder.Decode(log, scope.Field("request_log")) : defaults.RequestLog,
        };
    }

    private static XRpcRetrySnapshot Retry(Retry retry, DecodeScope scope)
    {
        uint tries = retry.NumRetries ?? 1;
        if (tries > MostRetries)
        {
            scope.Field("num_retries").Error($"must be at most {MostRetries}");
        }

        return new XRpcRetrySnapshot(
            (int)Math.Min(tries, MostRetries),
            ShareDecoder.Decode(retry.BudgetPercent, DefaultBudget, scope.Field("budget_percent")),
            retry.MinRetryConcurrency ?? RetriesAlways,
            scope.PositiveDuration("per_try_timeout", retry.PerTryTimeout) ?? TimeSpan.Zero);
    }

    private static XRpcHedgeSnapshot Hedge(Hedge hedge, XRpcRetrySnapshot? retry, CodecVocabulary codec, DecodeScope scope)
    {
        codec.CheckHedges(scope);
        uint copies = hedge.MaxHedgedRequests ?? 1;
        if (copies is 0 or > MostCopies)
        {
            scope.Field("max_hedged_requests").Error($"must be between 1 and {MostCopies}");
        }

        TimeSpan? delay = hedge.OnPerTryTimeout ? retry?.PerTryTimeout : scope.PositiveDuration("delay", hedge.Delay);
        if (hedge.OnPerTryTimeout && (delay is null || delay == TimeSpan.Zero))
        {
            scope.Field("on_per_try_timeout").Error("needs a retry.per_try_timeout");
        }
        else if (!hedge.OnPerTryTimeout && hedge.Delay is null)
        {
            scope.Error("delay, or on_per_try_timeout: true, is required");
        }

        return new XRpcHedgeSnapshot(
            delay ?? TimeSpan.Zero, (int)Math.Min(copies, MostCopies), ShareDecoder.Decode(hedge.BudgetPercent, DefaultBudget, scope.Field("budget_percent")));
    }

    private static ImmutableArray<XRpcMirrorSnapshot> Mirrors(RepeatedField<Mirror> mirrors, DecodeScope scope) => [.. mirrors.Select((mirror, i) =>
    {
        DecodeScope at = scope.Item("mirrors", i);
        if (mirror.Cluster.Length == 0)
        {
            at.Field("cluster").Error("is required");
        }

        return new XRpcMirrorSnapshot(mirror.Cluster, ShareDecoder.Decode(mirror.Fraction, at.Field("fraction")), mirror.ExcludeReads);
    })];

    private static ImmutableArray<XRpcFaultSnapshot> Faults(RepeatedField<Fault> faults, CodecVocabulary codec, DecodeScope scope) => [.. faults.Select((fault, i) =>
    {
        DecodeScope at = scope.Item("faults", i);
        TimeSpan delay = at.PositiveDuration("delay", fault.Delay) ?? TimeSpan.Zero;
        if (fault.Delay is null && fault.Abort is null)
        {
            at.Error("delay or abort is required");
        }

        return new XRpcFaultSnapshot(
            ShareDecoder.Decode(fault.Fraction, at.Field("fraction")),
            XRpcRoutesDecoder.Methods(fault.Methods, codec, at),
            delay,
            fault.Abort is { } abort ? XRpcRoutesDecoder.SafeText(abort.Message, "fault injected", at.Field("abort.message")) : null);
    })];

    private static ImmutableArray<XRpcMetadataMutation> Mutations(RepeatedField<MetadataMutation> mutations, CodecVocabulary codec, DecodeScope scope) => [.. mutations.Select((mutation, i) =>
    {
        DecodeScope at = scope.Item("request_metadata", i);
        codec.CheckEdits(at);
        if (mutation.Name.Length == 0)
        {
            at.Field("name").Error("is required");
        }

        if (mutation.ActionCase == MetadataMutation.ActionOneofCase.None || (mutation.ActionCase == MetadataMutation.ActionOneofCase.Remove && !mutation.Remove))
        {
            at.Error("set, or remove: true, is required");
        }

        // Cast because a null array converts to empty memory.
        return new XRpcMetadataMutation(
            mutation.Name, mutation.ActionCase == MetadataMutation.ActionOneofCase.Set ? (ReadOnlyMemory<byte>?)Encoding.UTF8.GetBytes(mutation.Set) : null);
    })];
}

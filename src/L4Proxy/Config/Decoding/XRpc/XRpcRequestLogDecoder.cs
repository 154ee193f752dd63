using System.Collections.Immutable;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Accesslog.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Reporting;
using Filter = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Accesslog.V3.AccessLogFilter.FilterSpecifierOneofCase;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>
/// Compiles <c>meshl4.xrpc.v1.RequestLog</c>. A filter that says nothing of a request of any protocol (HTTP's headers and codes, traces) is refused by its
/// name: left out, it would log what was not to be.
/// </summary>
internal static class XRpcRequestLogDecoder
{
    /// <summary>Filters inside of filters.</summary>
    private const int Deepest = 16;

    public static XRpcRequestLogSnapshot Decode(RequestLog log, DecodeScope scope)
    {
        var targets = ImmutableArray.CreateBuilder<XRpcRequestLogTarget>(log.AccessLog.Count);
        for (int i = 0; i < log.AccessLog.Count; i++)
        {
            DecodeScope at = scope.Item("access_log", i);
            RequestFilter? filter = log.AccessLog[i].Filter is { } own ? One(own, at.Field("filter"), 1) : null;
            if (AccessLogDecoder.DecodeLogger(log.AccessLog[i], at) is { } target)
            {
                targets.Add(new XRpcRequestLogTarget(target, filter));
            }
        }

        return new XRpcRequestLogSnapshot(ShareDecoder.Decode(log.Sampling, scope.Field("sampling")), targets.ToImmutable());
    }

    /// <summary>Null for one that takes all, and for one that was refused.</summary>
    private static RequestFilter? One(AccessLogFilter filter, DecodeScope scope, int depth)
    {
        switch (filter.FilterSpecifierCase)
        {
            case Filter.DurationFilter:
                return Duration(filter.DurationFilter, scope.Field("duration_filter"));
            case Filter.ResponseFlagFilter:
                return new RequestFilter.Flags(Flags(filter.ResponseFlagFilter.Flags, scope.Field("response_flag_filter")));
            case Filter.RuntimeFilter:
                return new RequestFilter.Chance(ShareDecoder.Decode(filter.RuntimeFilter.PercentSampled, scope.Field("runtime_filter.percent_sampled")));
            case Filter.AndFilter:
                return new RequestFilter.Every(Several(filter.AndFilter.Filters, scope.Field("and_filter"), depth));
            case Filter.OrFilter:
                return new RequestFilter.Either(Several(filter.OrFilter.Filters, scope.Field("or_filter"), depth));
            case Filter.NotHealthCheckFilter:
                // Signs of life are no requests.
                return null;
            case Filter.None:
                scope.Error("has no kind");
                return null;
            default:
                scope.Field(AccessLogFilter.Descriptor.FindFieldByNumber((int)filter.FilterSpecifierCase).Name).Error("is not supported for requests");
                return null;
        }
    }

    private static RequestFilter.Duration? Duration(DurationFilter filter, DecodeScope scope)
    {
        if (filter.Comparison?.Value is not { } value)
        {
            scope.Field("comparison").Error("needs a value");
            return null;
        }

        if (filter.Comparison.Op is not (ComparisonFilter.Types.Op.Eq or ComparisonFilter.Types.Op.Ge or ComparisonFilter.Types.Op.Le))
        {
            // A newer API's: over xDS an unknown value is a warning elsewhere.
            scope.Field("comparison.op").Error($"{(int)filter.Comparison.Op} is not supported");
        }

        RequestComparison comparison = filter.Comparison.Op switch
        {
            ComparisonFilter.Types.Op.Ge => RequestComparison.AtLeast,
            ComparisonFilter.Types.Op.Le => RequestComparison.AtMost,
            _ => RequestComparison.Equal,
        };
        return new RequestFilter.Duration(comparison, value.DefaultValue);
    }

    private static ImmutableArray<RequestFilter> Several(RepeatedField<AccessLogFilter> filters, DecodeScope scope, int depth)
    {
        if (filters.Count == 0 || depth == Deepest)
        {
            scope.Field("filters").Error(filters.Count == 0 ? "must not be empty" : $"filters lie more than {Deepest} deep");
            return [];
        }

        // One that takes all is an "and" of nothing.
        return [.. filters.Select((one, i) => One(one, scope.Item("filters", i), depth + 1) ?? new RequestFilter.Every([]))];
    }

    private static ResponseFlags Flags(RepeatedField<string> names, DecodeScope scope)
    {
        ResponseFlags any = names.Count == 0 ? (ResponseFlags)(-1) : ResponseFlags.None;
        for (int i = 0; i < names.Count; i++)
        {
            ResponseFlags one = ResponseFlagNames.Named(names[i]);
            if (one == ResponseFlags.None)
            {
                scope.Item("flags", i).Error($"'{names[i]}' is no flag of this proxy's");
            }

            any |= one;
        }

        return any;
    }
}

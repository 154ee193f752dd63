using System.Text;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>An active health check, by the constraints that Envoy's API sets: what Envoy would refuse is refused here too, though nothing runs the check yet.</summary>
internal static class HealthCheckFields
{
    private const int MostHeaders = 1000;
    private const int LongestHeader = 16_384;

    public static void Check(HealthCheck check, DecodeScope scope)
    {
        CheckTimes(check, scope);
        Required(scope, "unhealthy_threshold", check.UnhealthyThreshold);
        Required(scope, "healthy_threshold", check.HealthyThreshold);
        switch (check.HealthCheckerCase)
        {
            case HealthCheck.HealthCheckerOneofCase.HttpHealthCheck:
                CheckHttp(check.HttpHealthCheck, scope.Field("http_health_check"));
                break;
            case HealthCheck.HealthCheckerOneofCase.TcpHealthCheck:
                CheckPayloads(check.TcpHealthCheck.Send, check.TcpHealthCheck.Receive, scope.Field("tcp_health_check"));
                break;
            case HealthCheck.HealthCheckerOneofCase.GrpcHealthCheck:
                CheckHeaderText(check.GrpcHealthCheck.Authority, false, scope.Field("grpc_health_check.authority"));
                CheckHeaders(check.GrpcHealthCheck.InitialMetadata, "initial_metadata", scope.Field("grpc_health_check"));
                break;
            case HealthCheck.HealthCheckerOneofCase.CustomHealthCheck when check.CustomHealthCheck.Name.Length == 0:
                scope.Field("custom_health_check.name").Error("is required");
                break;
            case HealthCheck.HealthCheckerOneofCase.None:
                scope.Error("a kind of check is required: http_health_check, tcp_health_check, grpc_health_check or custom_health_check");
                break;
        }
    }

    private static void CheckTimes(HealthCheck check, DecodeScope scope)
    {
        Required(scope, "timeout", check.Timeout);
        Required(scope, "interval", check.Interval);
        scope.PositiveDuration("timeout", check.Timeout);
        scope.PositiveDuration("interval", check.Interval);
        scope.PositiveDuration("no_traffic_interval", check.NoTrafficInterval);
        scope.PositiveDuration("no_traffic_healthy_interval", check.NoTrafficHealthyInterval);
        scope.PositiveDuration("unhealthy_interval", check.UnhealthyInterval);
        scope.PositiveDuration("unhealthy_edge_interval", check.UnhealthyEdgeInterval);
        scope.PositiveDuration("healthy_edge_interval", check.HealthyEdgeInterval);
        scope.Duration("initial_jitter", check.InitialJitter);
        scope.Duration("interval_jitter", check.IntervalJitter);
    }

    private static void CheckHttp(HealthCheck.Types.HttpHealthCheck http, DecodeScope scope)
    {
        CheckHeaderText(http.Host, true, scope.Field("host"));
        CheckHeaderText(http.Path, true, scope.Field("path"));
        if (http.Path.Length == 0)
        {
            scope.Field("path").Error("is required");
        }

        CheckPayloads(http.Send, http.Receive, scope);
        CheckHeaders(http.RequestHeadersToAdd, "request_headers_to_add", scope);
        for (int i = 0; i < http.RequestHeadersToRemove.Count; i++)
        {
            CheckHeaderText(http.RequestHeadersToRemove[i], false, scope.Item("request_headers_to_remove", i));
        }

        CheckStatuses(http.ExpectedStatuses, "expected_statuses", scope);
        CheckStatuses(http.RetriableStatuses, "retriable_statuses", scope);
        if (http.ServiceNameMatcher is { } service)
        {
            StringMatcherDecoder.Decode(service, scope.Field("service_name_matcher"));
        }

        if (http.Method == RequestMethod.Connect)
        {
            scope.Field("method").Error("CONNECT is no method to check health with");
        }
    }

    private static void CheckStatuses(RepeatedField<Int64Range> ranges, string field, DecodeScope scope)
    {
        for (int i = 0; i < ranges.Count; i++)
        {
            if (ranges[i] is not { Start: >= 100, End: <= 600 } range || range.Start >= range.End)
            {
                scope.Item(field, i).Error($"[{ranges[i].Start}, {ranges[i].End}) is no range of HTTP status codes within [100, 600)");
            }
        }
    }

    private static void CheckPayloads(HealthCheck.Types.Payload? send, RepeatedField<HealthCheck.Types.Payload> receive, DecodeScope scope)
    {
        if (send is not null)
        {
            CheckPayload(send, scope.Field("send"));
        }

        for (int i = 0; i < receive.Count; i++)
        {
            CheckPayload(receive[i], scope.Item("receive", i));
        }
    }

    private static void CheckPayload(HealthCheck.Types.Payload payload, DecodeScope scope)
    {
        if (payload.PayloadCase == HealthCheck.Types.Payload.PayloadOneofCase.None)
        {
            scope.Error("text or binary is required");
        }
        else if (payload.PayloadCase == HealthCheck.Types.Payload.PayloadOneofCase.Text && !IsHex(payload.Text))
        {
            scope.Field("text").Error("must be bytes in hexadecimal");
        }
    }

    private static bool IsHex(string text) => text.Length > 0 && text.Length % 2 == 0 && text.All(char.IsAsciiHexDigit);

    private static void CheckHeaders(RepeatedField<HeaderValueOption> headers, string field, DecodeScope scope)
    {
        if (headers.Count > MostHeaders)
        {
            scope.Field(field).Error($"{headers.Count} headers are more than {MostHeaders}");
        }

        for (int i = 0; i < headers.Count; i++)
        {
            DecodeScope at = scope.Item(field, i).Field("header");
            if (headers[i].Header is not { Key.Length: > 0 } header)
            {
                at.Field("key").Error("is required");
                continue;
            }

            CheckHeader(header.Key, at.Field("key"));
            CheckHeader(header.Value, at.Field("value"));
        }
    }

    /// <summary>Of the texts of a check only those of a header have a bound, in bytes.</summary>
    private static void CheckHeader(string text, DecodeScope scope)
    {
        if (Encoding.UTF8.GetByteCount(text) > LongestHeader)
        {
            scope.Error($"is longer than {LongestHeader} bytes");
        }

        CheckHeaderText(text, false, scope);
    }

    /// <summary>A strict text has no control character but the tab, any other none that would end the header.</summary>
    private static void CheckHeaderText(string text, bool strict, DecodeScope scope)
    {
        if (text.Any(one => one is '\0' or '\r' or '\n' || (strict && one != '\t' && char.IsAscii(one) && char.IsControl(one))))
        {
            scope.Error("has characters that a header cannot have");
        }
    }

    private static void Required(DecodeScope scope, string field, object? value)
    {
        if (value is null)
        {
            scope.Field(field).Error("is required");
        }
    }
}

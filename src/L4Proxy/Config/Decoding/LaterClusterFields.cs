using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Fields of a cluster that are checked and not acted on yet: without them it serves, if less well.</summary>
internal static class LaterClusterFields
{
    public static void Check(Cluster cluster, DecodeScope scope)
    {
        for (int i = 0; i < cluster.HealthChecks.Count; i++)
        {
            CheckOne(cluster.HealthChecks[i], scope.Item("health_checks", i));
        }

        if (cluster.HealthChecks.Count > 0)
        {
            scope.Field("health_checks").Warn("active health checking is not supported yet: endpoints are as healthy as the control plane says");
        }

        if (cluster.OutlierDetection is { } outlier)
        {
            CheckOne(outlier, scope.Field("outlier_detection"));
        }

        if (cluster.LbSubsetConfig is not null)
        {
            scope.Field("lb_subset_config").Warn("subsets are not supported yet: connections go to all endpoints");
        }

        CheckRing(cluster.RingHashLbConfig, scope.Field("ring_hash_lb_config"));
        CheckSlowStart(cluster.RoundRobinLbConfig?.SlowStartConfig, scope.Field("round_robin_lb_config.slow_start_config"));
        CheckSlowStart(cluster.LeastRequestLbConfig?.SlowStartConfig, scope.Field("least_request_lb_config.slow_start_config"));
    }

    private static void CheckOne(HealthCheck check, DecodeScope scope)
    {
        Required(scope, "timeout", check.Timeout);
        Required(scope, "interval", check.Interval);
        Threshold(scope, "unhealthy_threshold", check.UnhealthyThreshold);
        Threshold(scope, "healthy_threshold", check.HealthyThreshold);
        if (check.HealthCheckerCase == HealthCheck.HealthCheckerOneofCase.None)
        {
            scope.Error("a kind of check is required: http_health_check, tcp_health_check, grpc_health_check or custom_health_check");
        }
    }

    private static void CheckOne(OutlierDetection outlier, DecodeScope scope)
    {
        scope.PositiveDuration("interval", outlier.Interval);
        scope.PositiveDuration("base_ejection_time", outlier.BaseEjectionTime);
        scope.PositiveDuration("max_ejection_time", outlier.MaxEjectionTime);
        Percent(scope, "max_ejection_percent", outlier.MaxEjectionPercent);
        Percent(scope, "enforcing_consecutive_5xx", outlier.EnforcingConsecutive5Xx);
        Percent(scope, "enforcing_consecutive_gateway_failure", outlier.EnforcingConsecutiveGatewayFailure);
        Percent(scope, "enforcing_consecutive_local_origin_failure", outlier.EnforcingConsecutiveLocalOriginFailure);
        scope.Warn("outlier detection is not supported yet: no endpoint is ejected");
    }

    private static void CheckRing(Cluster.Types.RingHashLbConfig? ring, DecodeScope scope)
    {
        if (ring?.MinimumRingSize > (ring?.MaximumRingSize ?? 8_388_608))
        {
            scope.Field("minimum_ring_size").Error("is above maximum_ring_size");
        }
    }

    private static void CheckSlowStart(Cluster.Types.SlowStartConfig? slow, DecodeScope scope)
    {
        if (slow is not null)
        {
            scope.PositiveDuration("slow_start_window", slow.SlowStartWindow);
            scope.Warn("slow start is not supported yet: a new endpoint takes its whole share at once");
        }
    }

    private static void Required(DecodeScope scope, string field, Google.Protobuf.WellKnownTypes.Duration? value)
    {
        if (value is null)
        {
            scope.Field(field).Error("is required");
        }

        scope.PositiveDuration(field, value);
    }

    private static void Threshold(DecodeScope scope, string field, uint? value)
    {
        if (value is null)
        {
            scope.Field(field).Error("is required");
        }
    }

    private static void Percent(DecodeScope scope, string field, uint? value)
    {
        if (value > 100)
        {
            scope.Field(field).Error($"{value} is above 100");
        }
    }
}

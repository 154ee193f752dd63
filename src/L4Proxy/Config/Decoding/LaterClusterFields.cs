using Google.Protobuf;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Subset.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>
/// Fields of a cluster that are checked, by the constraints that Envoy sets, and not acted on yet: without them it serves, if less well.
/// </summary>
internal static class LaterClusterFields
{
    private const uint LargestRing = 8_388_608;

    public static void Check(Cluster cluster, DecodeScope scope)
    {
        for (int i = 0; i < cluster.HealthChecks.Count; i++)
        {
            HealthCheckFields.Check(cluster.HealthChecks[i], scope.Item("health_checks", i));
        }

        if (cluster.HealthChecks.Count > 0)
        {
            scope.Field("health_checks").Warn("active health checking is not supported yet: endpoints are as healthy as the control plane says");
        }

        if (cluster.OutlierDetection is { } outlier)
        {
            CheckOutliers(outlier, scope.Field("outlier_detection"));
        }

        if (cluster.LbSubsetConfig is { } subsets)
        {
            CheckSubsets(cluster, subsets, scope.Field("lb_subset_config"));
        }

        CheckRing(
            cluster.RingHashLbConfig?.MinimumRingSize,
            cluster.RingHashLbConfig?.MaximumRingSize,
            cluster is { LbPolicy: Cluster.Types.LbPolicy.RingHash, LoadBalancingPolicy: null },
            scope.Field("ring_hash_lb_config"));
        CheckBalance(cluster.CommonLbConfig?.ConsistentHashingLbConfig?.HashBalanceFactor, scope.Field("common_lb_config.consistent_hashing_lb_config"));
        CheckSlowStart(cluster.RoundRobinLbConfig?.SlowStartConfig, scope.Field("round_robin_lb_config"));
        CheckSlowStart(cluster.LeastRequestLbConfig?.SlowStartConfig, scope.Field("least_request_lb_config"));
    }

    /// <summary>Sizes of a ring, of either style. Envoy compares the two, with their defaults, only where it makes one of them.</summary>
    public static void CheckRing(ulong? minimum, ulong? maximum, bool made, DecodeScope scope)
    {
        if (maximum > LargestRing)
        {
            scope.Field("maximum_ring_size").Error($"{maximum} is above {LargestRing}");
        }

        if (minimum > LargestRing)
        {
            scope.Field("minimum_ring_size").Error($"{minimum} is above {LargestRing}");
        }
        else if (made && (minimum ?? HashRing.DefaultSize) > (maximum ?? LargestRing))
        {
            scope.Field("minimum_ring_size").Error($"is above maximum_ring_size{(minimum is null ? $" ({HashRing.DefaultSize} where it is not set)" : "")}");
        }
        else if (made && maximum < LargestRing)
        {
            scope.Field("maximum_ring_size").Warn("is not supported yet: a ring grows with its endpoints");
        }
    }

    /// <summary>How much above its share an endpoint may get of what is hashed, in percent of it.</summary>
    public static void CheckBalance(uint? factor, DecodeScope scope)
    {
        if (factor < 100)
        {
            scope.Field("hash_balance_factor").Error($"{factor} is below 100");
        }
        else if (factor is not null)
        {
            scope.Field("hash_balance_factor").Warn("a bound of the load is not supported yet: a key goes to its endpoint");
        }
    }

    /// <summary>As of a policy in <c>load_balancing_policy</c>.</summary>
    public static void CheckSlowStart(Protos.Envoy.Extensions.LoadBalancingPolicies.Common.V3.SlowStartConfig? slow, DecodeScope scope)
    {
        if (slow is not null)
        {
            CheckSlowStart(slow.SlowStartWindow, slow.MinWeightPercent, scope.Field("slow_start_config"));
        }
    }

    /// <summary>As of a policy in <c>load_balancing_policy</c>.</summary>
    /// <remarks>What the two have in common has the same numbers and types.</remarks>
    public static void CheckSubsets(Subset subset, DecodeScope scope)
    {
        if (subset.SubsetLbPolicy is null)
        {
            scope.Field("subset_lb_policy").Error("is required");
        }

        CheckSelectors(Cluster.Types.LbSubsetConfig.Parser.WithDiscardUnknownFields(true).ParseFrom(subset.ToByteString()), scope);
    }

    private static void CheckSlowStart(Cluster.Types.SlowStartConfig? slow, DecodeScope scope)
    {
        if (slow is not null)
        {
            CheckSlowStart(slow.SlowStartWindow, slow.MinWeightPercent, scope.Field("slow_start_config"));
        }
    }

    private static void CheckSlowStart(Duration? window, Percent? least, DecodeScope scope)
    {
        TimeSpan? length = scope.Duration("slow_start_window", window);
        if (least?.Value is < 0 or > 100 or double.NaN)
        {
            scope.Field("min_weight_percent").Error("must be between 0 and 100");
        }

        // Without a window, or with one of no length, it is off.
        if (length > TimeSpan.Zero)
        {
            scope.Warn("slow start is not supported yet: a new endpoint takes its whole share at once");
        }
    }

    private static void CheckOutliers(OutlierDetection outlier, DecodeScope scope)
    {
        scope.PositiveDuration("interval", outlier.Interval);
        TimeSpan? shortest = scope.PositiveDuration("base_ejection_time", outlier.BaseEjectionTime);
        if (scope.PositiveDuration("max_ejection_time", outlier.MaxEjectionTime) < (shortest ?? TimeSpan.FromSeconds(30)))
        {
            scope.Field("max_ejection_time").Error("is below base_ejection_time (30s where it is not set)");
        }

        scope.Duration("max_ejection_time_jitter", outlier.MaxEjectionTimeJitter);
        foreach ((string field, uint? percent) in Percentages(outlier))
        {
            if (percent > 100)
            {
                scope.Field(field).Error($"{percent} is above 100");
            }
        }

        scope.Warn("outlier detection is not supported yet: no endpoint is ejected");
    }

    private static (string Field, uint? Percent)[] Percentages(OutlierDetection outlier) =>
    [
        ("max_ejection_percent", outlier.MaxEjectionPercent),
        ("enforcing_consecutive_5xx", outlier.EnforcingConsecutive5Xx),
        ("enforcing_consecutive_gateway_failure", outlier.EnforcingConsecutiveGatewayFailure),
        ("enforcing_consecutive_local_origin_failure", outlier.EnforcingConsecutiveLocalOriginFailure),
        ("enforcing_success_rate", outlier.EnforcingSuccessRate),
        ("enforcing_local_origin_success_rate", outlier.EnforcingLocalOriginSuccessRate),
        ("failure_percentage_threshold", outlier.FailurePercentageThreshold),
        ("enforcing_failure_percentage", outlier.EnforcingFailurePercentage),
        ("enforcing_failure_percentage_local_origin", outlier.EnforcingFailurePercentageLocalOrigin),
    ];

    private static void CheckSubsets(Cluster cluster, Cluster.Types.LbSubsetConfig subsets, DecodeScope scope)
    {
        if (cluster is { LbPolicy: Cluster.Types.LbPolicy.ClusterProvided, LoadBalancingPolicy: null })
        {
            scope.Error("cannot be combined with lb_policy CLUSTER_PROVIDED");
        }

        if (subsets.LocalityWeightAware && cluster.CommonLbConfig?.LocalityWeightedLbConfig is null)
        {
            scope.Field("locality_weight_aware").Error("needs common_lb_config.locality_weighted_lb_config");
        }

        CheckSelectors(subsets, scope);
    }

    private static void CheckSelectors(Cluster.Types.LbSubsetConfig subsets, DecodeScope scope)
    {
        for (int i = 0; i < subsets.SubsetSelectors.Count; i++)
        {
            CheckSelector(subsets.SubsetSelectors[i], scope.Item("subset_selectors", i).Field("fallback_keys_subset"));
        }

        scope.Warn("subsets are not supported yet: connections go to all endpoints");
    }

    private static void CheckSelector(Cluster.Types.LbSubsetConfig.Types.LbSubsetSelector selector, DecodeScope scope)
    {
        bool falls = selector.FallbackPolicy == Cluster.Types.LbSubsetConfig.Types.LbSubsetSelector.Types.LbSubsetSelectorFallbackPolicy.KeysSubset;
        HashSet<string> keys = [.. selector.Keys];
        if (falls != selector.FallbackKeysSubset.Count > 0)
        {
            scope.Error(falls ? "is required by fallback_policy KEYS_SUBSET" : "is for fallback_policy KEYS_SUBSET only");
        }
        else if (falls && !keys.IsProperSupersetOf(selector.FallbackKeysSubset))
        {
            scope.Error("must be some of keys, and not all of them");
        }
    }
}

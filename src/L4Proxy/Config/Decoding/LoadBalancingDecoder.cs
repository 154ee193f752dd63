using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Balancing;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.ClusterProvided.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Common.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.LeastRequest.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Maglev.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RingHash.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Subset.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.WrrLocality.V3;
using LoadBalancingPolicy = MeshL4.L4Proxy.Config.Snapshots.LoadBalancingPolicy;
using RandomPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Random.V3.Random;
using RoundRobinPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RoundRobin.V3.RoundRobin;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>How a cluster balances.</summary>
/// <param name="Policy">How an endpoint is chosen.</param>
/// <param name="Choices">For least_request, the number of endpoints compared.</param>
/// <param name="LocalityWeighted">Whether localities share by their own weights.</param>
/// <param name="HashTableSize">Points of the ring, or slots of the Maglev table.</param>
internal readonly record struct LoadBalancingConfig(
    LoadBalancingPolicy Policy, int Choices = 2, bool LocalityWeighted = false, int HashTableSize = HashRing.DefaultSize);

/// <summary>The balancing policy of a cluster, from <c>lb_policy</c> or from <c>load_balancing_policy</c>, which wins.</summary>
internal static class LoadBalancingDecoder
{
    private const int DeepestNesting = 4;

    public static LoadBalancingConfig Decode(Cluster cluster, DecodeScope scope)
        => cluster.LoadBalancingPolicy is { } extensible
            ? FromPolicies(extensible, scope.Field("load_balancing_policy"))
            : FromField(cluster, scope) with { LocalityWeighted = cluster.CommonLbConfig?.LocalityWeightedLbConfig is not null };

    private static LoadBalancingConfig FromField(Cluster cluster, DecodeScope scope)
    {
        switch (cluster.LbPolicy)
        {
            case Cluster.Types.LbPolicy.RoundRobin:
                return new(LoadBalancingPolicy.RoundRobin);
            case Cluster.Types.LbPolicy.LeastRequest:
                return new(LoadBalancingPolicy.LeastRequest, Choices(cluster.LeastRequestLbConfig?.ChoiceCount, scope.Field("least_request_lb_config.choice_count")));
            case Cluster.Types.LbPolicy.Random:
                return new(LoadBalancingPolicy.Random);
            case Cluster.Types.LbPolicy.ClusterProvided:
                return new(LoadBalancingPolicy.ClusterProvided);
            case Cluster.Types.LbPolicy.RingHash:
                return Ring(cluster.RingHashLbConfig?.MinimumRingSize, scope.Field("lb_policy"));
            case Cluster.Types.LbPolicy.Maglev:
                return MaglevOf(cluster.MaglevLbConfig?.TableSize, scope.Field("maglev_lb_config.table_size"), scope.Field("lb_policy"));
            default:
                scope.Field("lb_policy").Error($"{cluster.LbPolicy} is not supported: use ROUND_ROBIN, LEAST_REQUEST or RANDOM");
                return new(LoadBalancingPolicy.RoundRobin);
        }
    }

    private static LoadBalancingConfig FromPolicies(Protos.Envoy.Config.Cluster.V3.LoadBalancingPolicy policies, DecodeScope scope)
    {
        bool weighted = false;
        for (int depth = 0; depth < DeepestNesting; depth++)
        {
            Protos.Envoy.Config.Cluster.V3.LoadBalancingPolicy? inner = null;
            for (int i = 0; i < policies.Policies.Count && inner is null; i++)
            {
                Any? typed = policies.Policies[i].TypedExtensionConfig?.TypedConfig;
                DecodeScope at = scope.Item("policies", i).Field("typed_extension_config.typed_config");
                if (Known(typed, at) is { } known)
                {
                    return known with { LocalityWeighted = known.LocalityWeighted || weighted };
                }

                inner = Within(typed, at);
                weighted |= inner is not null && TypedConfig.Is<WrrLocality>(typed);
            }

            if (inner is null)
            {
                break;
            }

            policies = inner;
        }

        scope.Error("none of the policies is supported: use round_robin, least_request or random");
        return new(LoadBalancingPolicy.RoundRobin);
    }

    /// <summary>The policies that one of them chooses by, in turn; null for another kind.</summary>
    private static Protos.Envoy.Config.Cluster.V3.LoadBalancingPolicy? Within(Any? typed, DecodeScope scope)
    {
        if (TypedConfig.Is<Subset>(typed) && TypedConfig.Unpack<Subset>(typed!, scope) is { } subset)
        {
            LaterClusterFields.CheckSubsets(subset, scope);
            return subset.SubsetLbPolicy;
        }

        return TypedConfig.Is<WrrLocality>(typed) ? TypedConfig.Unpack<WrrLocality>(typed!, scope)?.EndpointPickingPolicy : null;
    }

    private static LoadBalancingConfig? Known(Any? typed, DecodeScope scope)
    {
        if (TypedConfig.Is<RoundRobinPolicy>(typed))
        {
            RoundRobinPolicy? robin = TypedConfig.Unpack<RoundRobinPolicy>(typed!, scope);
            LaterClusterFields.CheckSlowStart(robin?.SlowStartConfig, scope);
            return new(LoadBalancingPolicy.RoundRobin, 2, Weighted(robin?.LocalityLbConfig));
        }

        if (TypedConfig.Is<LeastRequest>(typed))
        {
            LeastRequest? least = TypedConfig.Unpack<LeastRequest>(typed!, scope);
            LaterClusterFields.CheckSlowStart(least?.SlowStartConfig, scope);
            return new(LoadBalancingPolicy.LeastRequest, Choices(least?.ChoiceCount, scope.Field("choice_count")), Weighted(least?.LocalityLbConfig));
        }

        if (TypedConfig.Is<RandomPolicy>(typed))
        {
            return new(LoadBalancingPolicy.Random, 2, Weighted(TypedConfig.Unpack<RandomPolicy>(typed!, scope)?.LocalityLbConfig));
        }

        return TypedConfig.Is<ClusterProvided>(typed) ? new(LoadBalancingPolicy.ClusterProvided)
            : TypedConfig.Is<RingHash>(typed) ? Ring(TypedConfig.Unpack<RingHash>(typed!, scope), scope)
            : TypedConfig.Is<Maglev>(typed) ? MaglevOf(TypedConfig.Unpack<Maglev>(typed!, scope), scope)
            : null;
    }

    private static LoadBalancingConfig Ring(RingHash? ring, DecodeScope scope)
    {
        LaterClusterFields.CheckRing(ring?.MinimumRingSize, ring?.MaximumRingSize, true, scope);
        LaterClusterFields.CheckBalance(ring?.HashBalanceFactor, scope);
        LaterClusterFields.CheckBalance(ring?.ConsistentHashingLbConfig?.HashBalanceFactor, scope.Field("consistent_hashing_lb_config"));
        return Ring(ring?.MinimumRingSize, scope) with { LocalityWeighted = ring?.LocalityWeightedLbConfig is not null };
    }

    private static LoadBalancingConfig MaglevOf(Maglev? maglev, DecodeScope scope)
    {
        LaterClusterFields.CheckBalance(maglev?.ConsistentHashingLbConfig?.HashBalanceFactor, scope.Field("consistent_hashing_lb_config"));
        return MaglevOf(maglev?.TableSize, scope.Field("table_size"), scope) with { LocalityWeighted = maglev?.LocalityWeightedLbConfig is not null };
    }

    private static LoadBalancingConfig Ring(ulong? size, DecodeScope scope)
    {
        TellWhatIsHashed(scope);
        return new(LoadBalancingPolicy.RingHash, HashTableSize: (int)Math.Min(size ?? HashRing.DefaultSize, HashRing.LargestSize));
    }

    private static LoadBalancingConfig MaglevOf(ulong? size, DecodeScope at, DecodeScope scope)
    {
        TellWhatIsHashed(scope);
        if (size is < 2 or > MaglevTable.LargestSize || (size is { } slots && !IsPrime(slots)))
        {
            at.Error($"must be a prime of at most {MaglevTable.LargestSize}");
            size = null;
        }

        return new(LoadBalancingPolicy.Maglev, HashTableSize: (int)(size ?? MaglevTable.DefaultSize));
    }

    private static void TellWhatIsHashed(DecodeScope scope) =>
        scope.Warn("requests with a key are hashed (redis_proxy, XRpcProxy); plain connections go to the less loaded of two endpoints, and those of one client do not stay together");

    private static bool IsPrime(ulong number)
    {
        for (ulong divisor = 2; divisor * divisor <= number; divisor++)
        {
            if (number % divisor == 0)
            {
                return false;
            }
        }

        return true;
    }

    private static bool Weighted(LocalityLbConfig? config) => config?.LocalityWeightedLbConfig is not null;

    private static int Choices(uint? count, DecodeScope scope)
    {
        if (count < 2)
        {
            scope.Error("must be at least 2");
        }

        return (int)Math.Clamp(count ?? 2, 2, 1024);
    }
}

using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.ClusterProvided.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.LeastRequest.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.WrrLocality.V3;
using LoadBalancingPolicy = MeshL4.L4Proxy.Config.Snapshots.LoadBalancingPolicy;
using RandomPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.Random.V3.Random;
using RoundRobinPolicy = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.LoadBalancingPolicies.RoundRobin.V3.RoundRobin;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>The balancing policy of a cluster, from <c>lb_policy</c> or from <c>load_balancing_policy</c>, which wins.</summary>
internal static class LoadBalancingDecoder
{
    private const int DeepestNesting = 4;

    /// <summary>Policy and, for least_request, the number of endpoints compared.</summary>
    public static (LoadBalancingPolicy Policy, int Choices) Decode(Cluster cluster, DecodeScope scope)
    {
        if (cluster.LoadBalancingPolicy is { } extensible)
        {
            return FromPolicies(extensible, scope.Field("load_balancing_policy"));
        }

        int choices = Choices(cluster.LeastRequestLbConfig?.ChoiceCount, scope.Field("least_request_lb_config.choice_count"));
        switch (cluster.LbPolicy)
        {
            case Cluster.Types.LbPolicy.RoundRobin:
                return (LoadBalancingPolicy.RoundRobin, choices);
            case Cluster.Types.LbPolicy.LeastRequest:
                return (LoadBalancingPolicy.LeastRequest, choices);
            case Cluster.Types.LbPolicy.Random:
                return (LoadBalancingPolicy.Random, choices);
            case Cluster.Types.LbPolicy.ClusterProvided:
                return (LoadBalancingPolicy.ClusterProvided, choices);
            default:
                scope.Field("lb_policy").Error($"{cluster.LbPolicy} is not supported: use ROUND_ROBIN, LEAST_REQUEST or RANDOM");
                return (LoadBalancingPolicy.RoundRobin, choices);
        }
    }

    private static (LoadBalancingPolicy Policy, int Choices) FromPolicies(
        Protos.Envoy.Config.Cluster.V3.LoadBalancingPolicy policies, DecodeScope scope)
    {
        for (int depth = 0; depth < DeepestNesting; depth++)
        {
            Protos.Envoy.Config.Cluster.V3.LoadBalancingPolicy? inner = null;
            for (int i = 0; i < policies.Policies.Count && inner is null; i++)
            {
                Any? typed = policies.Policies[i].TypedExtensionConfig?.TypedConfig;
                DecodeScope at = scope.Item("policies", i).Field("typed_extension_config.typed_config");
                if (Known(typed, at) is { } known)
                {
                    return known;
                }

                inner = TypedConfig.Is<WrrLocality>(typed) ? TypedConfig.Unpack<WrrLocality>(typed!, at)?.EndpointPickingPolicy : null;
            }

            if (inner is null)
            {
                break;
            }

            policies = inner;
        }

        scope.Error("none of the policies is supported: use round_robin, least_request or random");
        return (LoadBalancingPolicy.RoundRobin, 2);
    }

    private static (LoadBalancingPolicy Policy, int Choices)? Known(Any? typed, DecodeScope scope)
    {
        if (TypedConfig.Is<RoundRobinPolicy>(typed))
        {
            return (LoadBalancingPolicy.RoundRobin, 2);
        }

        if (TypedConfig.Is<LeastRequest>(typed))
        {
            return (LoadBalancingPolicy.LeastRequest,
                Choices(TypedConfig.Unpack<LeastRequest>(typed!, scope)?.ChoiceCount, scope.Field("choice_count")));
        }

        if (TypedConfig.Is<RandomPolicy>(typed))
        {
            return (LoadBalancingPolicy.Random, 2);
        }

        return TypedConfig.Is<ClusterProvided>(typed) ? (LoadBalancingPolicy.ClusterProvided, 2) : null;
    }

    private static int Choices(uint? count, DecodeScope scope)
    {
        if (count < 2)
        {
            scope.Error("must be at least 2");
        }

        return (int)Math.Clamp(count ?? 2, 2, 1024);
    }
}

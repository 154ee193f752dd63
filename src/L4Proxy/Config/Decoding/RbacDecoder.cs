using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the network <c>rbac</c> filter. What cannot be evaluated on a connection refuses the resource: a rule left out would open what its author meant to close.</summary>
internal static class RbacDecoder
{
    public static RbacSnapshot Decode(NetworkRbac filter, DecodeScope scope)
    {
        if (filter.StatPrefix.Length == 0)
        {
            scope.Field("stat_prefix").Error("is required");
        }

        return new RbacSnapshot(
            filter.StatPrefix,
            filter.Rules is { } rules ? Rules(rules, scope.Field("rules")) : null,
            filter.ShadowRules is { } shadow ? Rules(shadow, scope.Field("shadow_rules")) : null,
            filter.ShadowRulesStatPrefix);
    }

    private static RbacRulesSnapshot Rules(RBAC rules, DecodeScope scope)
    {
        RbacAction action = rules.Action switch
        {
            RBAC.Types.Action.Deny => RbacAction.Deny,
            RBAC.Types.Action.Log => RbacAction.Log,
            RBAC.Types.Action.Allow => RbacAction.Allow,
            _ => Unknown(rules.Action, scope.Field("action")),
        };
        var policies = ImmutableArray.CreateBuilder<RbacPolicySnapshot>(rules.Policies.Count);
        foreach ((string name, Policy policy) in rules.Policies.OrderBy(static one => one.Key, StringComparer.Ordinal))
        {
            DecodeScope at = scope.Field($"policies[\"{name}\"]");
            if (policy.Condition is not null || policy.CheckedCondition is not null)
            {
                at.Field("condition").Error("CEL conditions are not supported");
            }

            policies.Add(new RbacPolicySnapshot(
                name,
                RbacPermissionDecoder.AnyOf(policy.Permissions, at, "permissions"),
                RbacPrincipalDecoder.AnyOf(policy.Principals, at, "principals")));
        }

        return new RbacRulesSnapshot(action, policies.ToImmutable());
    }

    private static RbacAction Unknown(RBAC.Types.Action action, DecodeScope scope)
    {
        scope.Error($"{(int)action} is no action");
        return RbacAction.Allow;
    }
}

using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3;
using MeshL4.L4Proxy.Config.Protos.Xds.Type.Matcher.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;
using RbacTreeAction = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3.Action;
using XdsCore = MeshL4.L4Proxy.Config.Protos.Xds.Core.V3;

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
            Decide(filter.Rules, filter.Matcher, scope, "rules", "matcher"),
            Decide(filter.ShadowRules, filter.ShadowMatcher, scope, "shadow_rules", "shadow_matcher"),
            filter.ShadowRulesStatPrefix);
    }

    /// <summary>A tree goes before rules, as in Envoy, which then does not look at these.</summary>
    private static RbacRulesSnapshot? Decide(RBAC? rules, Matcher? matcher, DecodeScope scope, string rulesField, string matcherField)
    {
        if (matcher is null)
        {
            return rules is null ? null : Rules(rules, scope.Field(rulesField));
        }

        if (rules is not null)
        {
            scope.Field(rulesField).Warn($"is not looked at: {matcherField} is set");
        }

        return new RbacRulesSnapshot(RbacAction.Allow, []) { Tree = new MatcherTreeDecoder(ActionName).Decode(matcher, scope.Field(matcherField)) };
    }

    private static string ActionName(XdsCore.TypedExtensionConfig action, DecodeScope scope)
    {
        if (!TypedConfig.Is<RbacTreeAction>(action.TypedConfig))
        {
            scope.Error($"an action is an envoy.config.rbac.v3.Action, not '{TypedConfig.TypeName(action.TypedConfig)}'");
            return "";
        }

        RbacTreeAction named = TypedConfig.Unpack<RbacTreeAction>(action.TypedConfig, scope) ?? new RbacTreeAction();
        if (named.Name.Length == 0)
        {
            scope.Field("typed_config.name").Error("is required");
        }

        char first = named.Action_ switch
        {
            RBAC.Types.Action.Allow => RbacRulesSnapshot.Allowing,
            RBAC.Types.Action.Log => RbacRulesSnapshot.Logging,
            _ => RbacRulesSnapshot.Denying,
        };
        return first + named.Name;
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

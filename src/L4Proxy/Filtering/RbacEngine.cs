using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Filtering;

/// <summary>Decides by the rules of <c>envoy.config.rbac.v3.RBAC</c>.</summary>
internal static class RbacEngine
{
    /// <summary>Whether the rules let the connection by.</summary>
    /// <param name="rules">Compiled rules.</param>
    /// <param name="input">The connection.</param>
    /// <param name="policy">The policy that matched first; null for none.</param>
    public static bool Allows(RbacRulesSnapshot rules, in MatchInput input, out string? policy)
    {
        policy = null;
        if (rules.Tree is { } tree)
        {
            // What no action takes is denied.
            string? found = tree(input);
            policy = found?[1..];
            return found is { Length: > 0 } && found[0] != RbacRulesSnapshot.Denying;
        }

        foreach (RbacPolicySnapshot candidate in rules.Policies)
        {
            if (candidate.Permissions(input) && candidate.Principals(input))
            {
                policy = candidate.Name;
                break;
            }
        }

        return rules.Action switch
        {
            RbacAction.Deny => policy is null,
            RbacAction.Log => true,
            _ => policy is not null,
        };
    }
}

using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3;
using MeshL4.L4Proxy.Matching;
using Kind = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3.Permission.RuleOneofCase;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the permissions of an RBAC policy. Recursion follows the message, whose depth its reader bounds.</summary>
internal static class RbacPermissionDecoder
{
    public static ConnectionPredicate AnyOf(RepeatedField<Permission> rules, DecodeScope scope, string field)
        => ConnectionPredicates.Any(Each(rules, scope, field));

    private static ConnectionPredicate[] Each(RepeatedField<Permission> rules, DecodeScope scope, string field)
    {
        if (rules.Count == 0)
        {
            scope.Field(field).Error("must not be empty");
        }

        return [.. rules.Select((rule, i) => One(rule, scope.Item(field, i)))];
    }

    private static ConnectionPredicate One(Permission rule, DecodeScope scope)
    {
        switch (rule.RuleCase)
        {
            case Kind.AndRules:
                return ConnectionPredicates.All(Each(rule.AndRules.Rules, scope.Field("and_rules"), "rules"));
            case Kind.OrRules:
                return ConnectionPredicates.Any(Each(rule.OrRules.Rules, scope.Field("or_rules"), "rules"));
            case Kind.NotRule:
                return ConnectionPredicates.Not(One(rule.NotRule, scope.Field("not_rule")));
            case Kind.Any when rule.Any:
                return ConnectionPredicates.Always;
            case Kind.DestinationIp:
                return ConnectionPredicates.InRange(rule.DestinationIp, static (in input) => input.Destination, scope.Field("destination_ip"));
            case Kind.DestinationPort when rule.DestinationPort <= ushort.MaxValue:
                uint port = rule.DestinationPort;
                return (in input) => input.Destination?.Port == port;
            case Kind.DestinationPortRange:
                (int start, int end) = (rule.DestinationPortRange.Start, rule.DestinationPortRange.End);
                return (in input) => input.Destination is { } destination && destination.Port >= start && destination.Port < end;
            case Kind.RequestedServerName when StringMatcherDecoder.Decode(rule.RequestedServerName, scope.Field("requested_server_name")) is { } name:
                return (in input) => name(input.ServerName ?? "");
            case Kind.RequestedServerName:
                return ConnectionPredicates.Never;
            case Kind.None:
                scope.Error("a rule this proxy knows is required");
                return ConnectionPredicates.Never;
            default:
                scope.Error($"{rule.RuleCase} cannot be evaluated on a connection");
                return ConnectionPredicates.Never;
        }
    }
}

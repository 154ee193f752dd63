using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3;
using MeshL4.L4Proxy.Matching;
using Envoy = MeshL4.L4Proxy.Config.Protos.Envoy.Type.Matcher.V3;
using Kind = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3.Principal.IdentifierOneofCase;

namespace MeshL4.L4Proxy.Config.Decoding;

/// <summary>Compiles the principals of an RBAC policy. Recursion follows the message, whose depth its reader bounds.</summary>
internal static class RbacPrincipalDecoder
{
    public static ConnectionPredicate AnyOf(RepeatedField<Principal> ids, DecodeScope scope, string field)
        => ConnectionPredicates.Any(Each(ids, scope, field));

    private static ConnectionPredicate[] Each(RepeatedField<Principal> ids, DecodeScope scope, string field)
    {
        if (ids.Count == 0)
        {
            scope.Field(field).Error("must not be empty");
        }

        return [.. ids.Select((id, i) => One(id, scope.Item(field, i)))];
    }

    private static ConnectionPredicate One(Principal id, DecodeScope scope)
    {
        switch (id.IdentifierCase)
        {
            case Kind.AndIds:
                return ConnectionPredicates.All(Each(id.AndIds.Ids, scope.Field("and_ids"), "ids"));
            case Kind.OrIds:
                return ConnectionPredicates.Any(Each(id.OrIds.Ids, scope.Field("or_ids"), "ids"));
            case Kind.NotId:
                return ConnectionPredicates.Not(One(id.NotId, scope.Field("not_id")));
            case Kind.Any when id.Any:
                return ConnectionPredicates.Always;
            case Kind.Authenticated:
                return Authenticated(id.Authenticated, scope.Field("authenticated"));
            case Kind.SourceIp:
                return ConnectionPredicates.InRange(id.SourceIp, static (in input) => input.Source, scope.Field("source_ip"));
            case Kind.RemoteIp:
                return ConnectionPredicates.InRange(id.RemoteIp, static (in input) => input.Source, scope.Field("remote_ip"));
            case Kind.DirectRemoteIp:
                return ConnectionPredicates.InRange(id.DirectRemoteIp, static (in input) => input.DirectSource, scope.Field("direct_remote_ip"));
            case Kind.FilterState:
                return FilterState(id.FilterState, scope.Field("filter_state"));
            case Kind.None:
                scope.Error("an identifier this proxy knows is required");
                return ConnectionPredicates.Never;
            default:
                scope.Error($"{id.IdentifierCase} cannot be evaluated on a connection");
                return ConnectionPredicates.Never;
        }
    }

    /// <summary>TLS is not terminated here, so that no connection has a peer that is known.</summary>
    private static ConnectionPredicate Authenticated(Principal.Types.Authenticated authenticated, DecodeScope scope)
    {
        if (authenticated.PrincipalName is { } name)
        {
            StringMatcherDecoder.Decode(name, scope.Field("principal_name"));
        }

        return ConnectionPredicates.Never;
    }

    private static ConnectionPredicate FilterState(Envoy.FilterStateMatcher matcher, DecodeScope scope)
    {
        if (matcher.Key.Length == 0)
        {
            scope.Field("key").Error("is required");
        }

        string key = matcher.Key;
        return StringMatcherDecoder.Decode(matcher.StringMatch, scope.Field("string_match")) is { } text
            ? (in input) => input.FilterState is { } state && state.TryGetValue(key, out string? value) && text(value)
            : ConnectionPredicates.Never;
    }
}

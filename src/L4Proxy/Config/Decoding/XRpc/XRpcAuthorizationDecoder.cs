using System.Collections.Immutable;
using Google.Protobuf.Collections;
using MeshL4.L4Proxy.Config.Protos.Envoy.Type.Matcher.V3;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Matching;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Compiles <c>meshl4.xrpc.v1.Authorization</c>.</summary>
internal static class XRpcAuthorizationDecoder
{
    public static XRpcAuthorizationSnapshot Decode(Authorization rules, CodecVocabulary codec, DecodeScope scope)
    {
        if (rules.Deny.Count == 0 && rules.Allow.Count == 0)
        {
            scope.Error("a rule is required: an authorization without one would allow everything");
        }

        return new XRpcAuthorizationSnapshot(Each(rules.Deny, codec, scope, "deny"), Each(rules.Allow, codec, scope, "allow"));
    }

    private static ImmutableArray<XRpcAuthorizationRule> Each(RepeatedField<AuthorizationRule> rules, CodecVocabulary codec, DecodeScope scope, string field) =>
        [.. rules.Select((rule, i) => One(rule, $"{field}-{i}", codec, scope.Item(field, i)))];

    private static XRpcAuthorizationRule One(AuthorizationRule rule, string place, CodecVocabulary codec, DecodeScope scope) => new()
    {
        Name = rule.Name.Length > 0 ? rule.Name : place,
        Methods = XRpcRoutesDecoder.Methods(rule.Methods, codec, scope),
        Services = Matchers(rule.Services, scope, "services", codec.CheckService),
        Keys = Matchers(rule.Keys, scope, "keys", codec.CheckKey),
        Metadata = XRpcRoutesDecoder.Metadata(rule.Metadata, codec, scope),
        Source = rule.Sources.Count == 0 ? null : ConnectionPredicates.Any(
            [.. rule.Sources.Select((range, i) => ConnectionPredicates.InRange(range, static (in input) => input.Source, scope.Item("sources", i)))]),
    };

    /// <summary>One that cannot be compiled is told as an error, and stands for nothing.</summary>
    private static ImmutableArray<BytesPredicate> Matchers(RepeatedField<StringMatcher> matchers, DecodeScope scope, string field, Action<DecodeScope> check)
    {
        if (matchers.Count > 0)
        {
            check(scope.Field(field));
        }

        return [.. matchers.Select((matcher, i) => StringMatcherDecoder.DecodeBytes(matcher, scope.Item(field, i)) ?? (static _ => false))];
    }
}

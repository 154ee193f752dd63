using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>Compiles the bootstrap extension <c>meshl4.xrpc.v1.CodecRules</c>.</summary>
internal static class CodecRulesDecoder
{
    /// <summary>By its text: asking the message for its name would build its descriptor in every start.</summary>
    public static bool Takes(Any? extension) => TypedConfig.TypeName(extension) == "meshl4.xrpc.v1.CodecRules";

    public static ImmutableArray<CodecRuleSnapshot> Decode(Any extension, DecodeScope scope)
    {
        var rules = ImmutableArray.CreateBuilder<CodecRuleSnapshot>();
        CodecRules set = TypedConfig.Unpack<CodecRules>(extension, scope) ?? new CodecRules();
        for (int i = 0; i < set.Rules.Count; i++)
        {
            rules.Add(One(set.Rules[i], scope.Item("rules", i)));
        }

        return rules.ToImmutable();
    }

    private static CodecRuleSnapshot One(CodecRule rule, DecodeScope scope)
    {
        if (rule.ClusterPattern.Length == 0 && rule.Port == 0)
        {
            scope.Error("cluster_pattern or port is required: a rule for every connection would read what is no such protocol");
        }

        if (rule.Port > ushort.MaxValue)
        {
            scope.Field("port").Error($"{rule.Port} is above 65535");
        }

        var proxy = new XRpcProxy
        {
            StatPrefix = "check", Codec = rule.Codec, Policies = rule.Policies, Limits = rule.Limits, Authentication = rule.Authentication,
            Upstream = rule.Upstream, OnUnknown = rule.OnUnknown, Redis = rule.Redis, LatencyInMicros = rule.LatencyInMicros,
        };

        // Told here once, rather than with each listener that the rule takes.
        XRpcProxy trial = proxy.Clone();
        trial.RouteConfig = new RouteConfig { Routes = { new Route { Forward = new Forward { Cluster = "check" } } } };
        XRpcProxyDecoder.Decode(trial, scope);
        return new CodecRuleSnapshot(rule.ClusterPattern, (int)Math.Min(rule.Port, ushort.MaxValue), proxy);
    }
}

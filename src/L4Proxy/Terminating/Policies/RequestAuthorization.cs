using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.L4Proxy.Listening;
using MeshL4.L4Proxy.Matching;
using MeshL4.L4Proxy.Terminating.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.Policies;

/// <summary>Whether a client may make a request, by method, service, key and metadata.</summary>
internal static class RequestAuthorization
{
    /// <summary>DENY before ALLOW; with any ALLOW rule, one must match.</summary>
    public static bool Allows<TCodec>(
        XRpcAuthorizationSnapshot rules, in TCodec codec, in FrameView frame, ReadOnlySpan<byte> key, Downstream downstream)
        where TCodec : struct, IXRpcCodec<TCodec> => Allows(rules, codec, frame, key, anyKey: false, downstream);

    /// <summary>Whether a request is allowed whatever its keys are: no DENY rule matches with some key, and an ALLOW rule that does not ask for keys does if there is any.</summary>
    public static bool AllowsAnyKey<TCodec>(XRpcAuthorizationSnapshot rules, in TCodec codec, in FrameView frame, Downstream downstream)
        where TCodec : struct, IXRpcCodec<TCodec> => Allows(rules, codec, frame, default, anyKey: true, downstream);

    private static bool Allows<TCodec>(
        XRpcAuthorizationSnapshot rules, in TCodec codec, in FrameView frame, ReadOnlySpan<byte> key, bool anyKey, Downstream downstream)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        foreach (XRpcAuthorizationRule rule in rules.Deny)
        {
            if ((anyKey || Any(rule.Keys, key)) && MatchesBesidesKeys(rule, codec, frame, downstream))
            {
                return false;
            }
        }

        foreach (XRpcAuthorizationRule rule in rules.Allow)
        {
            if ((anyKey ? rule.Keys.IsEmpty : Any(rule.Keys, key)) && MatchesBesidesKeys(rule, codec, frame, downstream))
            {
                return true;
            }
        }

        return rules.Allow.IsEmpty;
    }

    private static bool MatchesBesidesKeys<TCodec>(XRpcAuthorizationRule rule, in TCodec codec, in FrameView frame, Downstream downstream)
        where TCodec : struct, IXRpcCodec<TCodec>
    {
        if ((rule.Source is { } source && !source(MatchInput.Of(downstream))) || !RouteFinder.HasMethod(rule.Methods, frame.Head.Method, codec, frame)
            || !Any(rule.Services, RouteFinder.Service(codec, frame)))
        {
            return false;
        }

        foreach (XRpcMetadataMatch condition in rule.Metadata)
        {
            if (!RouteFinder.HasMetadata(condition, codec, frame))
            {
                return false;
            }
        }

        return true;
    }

    private static bool Any(ImmutableArray<BytesPredicate> predicates, ReadOnlySpan<byte> value)
    {
        foreach (BytesPredicate predicate in predicates)
        {
            if (predicate(value))
            {
                return true;
            }
        }

        return predicates.IsEmpty;
    }
}

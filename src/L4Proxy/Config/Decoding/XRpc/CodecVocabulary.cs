using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Config.Decoding.XRpc;

/// <summary>
/// What the conditions of routes and policies can name: the methods and metadata that a codec declares. A name that no request of the
/// protocol has would leave a rule asleep that its author relies on: it is refused.
/// </summary>
/// <param name="codec">Null for one that is unknown, which was told: every name is taken.</param>
internal sealed class CodecVocabulary(CodecTraits? codec)
{
    /// <summary>Where frames carry the method's name, it need not be among those that are counted by name.</summary>
    private bool TakesAnyMethod => codec is null || codec.FindMeta("method") >= 0;

    /// <summary>
    /// Told at <paramref name="scope"/> when no request can have this method. The codec's first stands for all that have no name of their own;
    /// where frames carry names, a method may be called so.
    /// </summary>
    public void CheckMethod(string name, DecodeScope scope)
    {
        if (!TakesAnyMethod && !codec!.Methods.Contains(name, StringComparer.OrdinalIgnoreCase))
        {
            scope.Error($"'{name}' is no method that the codec {codec.Name} tells from others{Nearest(name.ToLowerInvariant(), codec.Methods.Skip(1))}");
        }
    }

    /// <summary>Told at <paramref name="scope"/> when no request can have this metadata.</summary>
    public void CheckMetadata(string name, DecodeScope scope)
    {
        if (codec is not null && codec.FindMeta(name) < 0)
        {
            string[] known = [.. codec.Meta.Select(static key => key.Name)];
            string all = known.Length == 0 ? ", which has none" : $", which has {string.Join(", ", known)}";
            scope.Error($"'{name}' is no metadata of the codec {codec.Name}{(Nearest(name.ToLowerInvariant(), known) is { Length: > 0 } near ? near : all)}");
        }
    }

    /// <summary>Told at <paramref name="scope"/> when requests call no service.</summary>
    public void CheckService(DecodeScope scope)
    {
        if (codec is { ServiceMeta: < 0 })
        {
            scope.Error($"requests of the codec {codec.Name} call no service");
        }
    }

    /// <summary>Told at <paramref name="scope"/> when requests have no key.</summary>
    public void CheckKey(DecodeScope scope)
    {
        if (codec is { KeyMeta: < 0 })
        {
            scope.Error($"requests of the codec {codec.Name} have no key");
        }
    }

    /// <summary>Told at <paramref name="scope"/> when no metadata of requests can be changed: each would be answered with an error.</summary>
    public void CheckEdits(DecodeScope scope)
    {
        if (codec is { EditsMetadata: false })
        {
            scope.Error($"requests of the codec {codec.Name} have no metadata that can be set or removed");
        }
    }

    /// <summary>Told at <paramref name="scope"/> when no request can be hedged: the connection of each is its client's until it was answered.</summary>
    public void CheckHedges(DecodeScope scope)
    {
        if (codec is { Order: FrameOrder.PingPong })
        {
            scope.Error($"requests of the codec {codec.Name} cannot be hedged: a connection has one at a time");
        }
    }

    /// <summary>Whether a condition, a policy or the choice of a server looks at a value of the last tier.</summary>
    public bool NeedsWholeFrames(XRpcRouteSnapshot route)
    {
        XRpcPoliciesSnapshot policies = route.Policies;
        IEnumerable<XRpcAuthorizationRule> rules = policies.Authorization is { } some ? some.Deny.Concat(some.Allow) : [];
        IEnumerable<string> names = route.Match.Metadata.Concat(rules.SelectMany(static rule => rule.Metadata)).Select(static one => one.Name)
            .Concat(policies.RequestMetadata.Select(static one => one.Name))
            .Append(route.HashBy ?? "");
        bool byMethod = !route.Match.Methods.IsEmpty || rules.Any(static rule => !rule.Methods.IsEmpty) || policies.Faults.Any(static fault => !fault.Methods.IsEmpty);
        bool byService = route.Match.Service is not null || rules.Any(static rule => !rule.Services.IsEmpty);
        return codec is not null
            && (names.Any(name => IsInBody(codec.FindMeta(name))) || (byMethod && IsInBody(codec.FindMeta("method")))
                || (byService && IsInBody(codec.ServiceMeta)) || IsInBody(codec.KeyMeta));
    }

    private bool IsInBody(int meta) => meta >= 0 && codec!.Meta[meta].Tier == MetaTier.WholeBody;

    private static string Nearest(string name, IEnumerable<string> known)
        => NearestName.Of(name, known) is { } near ? $"; did you mean '{near}'?" : "";
}

using System.Runtime.CompilerServices;
using MeshL4.L4Proxy.Config.Snapshots.XRpc;
using MeshL4.XRpc.Contracts;

namespace MeshL4.L4Proxy.Terminating.Policies;

/// <summary>A route's metadata changes as codecs take them, made once for each snapshot.</summary>
internal static class MetadataEdits
{
    private static readonly ConditionalWeakTable<XRpcPoliciesSnapshot, MetaEdit[]> Compiled = new();

    public static IReadOnlyList<MetaEdit> Of(XRpcPoliciesSnapshot policies) =>
        Compiled.GetValue(policies, static p => [.. p.RequestMetadata.Select(static m => new MetaEdit(m.Name, m.Value))]);
}

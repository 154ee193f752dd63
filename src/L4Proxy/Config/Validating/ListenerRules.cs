using System.Collections.Immutable;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Snapshots;

namespace MeshL4.L4Proxy.Config.Validating;

/// <summary>The rules a listener must keep to be taken.</summary>
internal static class ListenerRules
{
    /// <summary>Rules within one listener.</summary>
    public static void CheckOne(ImmutableArray<ListenerSnapshot> listener, DecodeScope scope)
    {
        foreach (ListenerSnapshot first in listener.Take(1))
        {
            EqualChainMatchRule.Check(first, scope);
        }
    }
}

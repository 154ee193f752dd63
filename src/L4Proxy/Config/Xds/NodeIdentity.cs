using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Who the proxy says it is: the bootstrap's node, with the program's own name and version.</summary>
internal static class NodeIdentity
{
    /// <summary>A copy of <paramref name="configured"/> with user agent; what the bootstrap says about that is overwritten.</summary>
    public static Node Of(Node configured)
    {
        Node node = configured.Clone();
        node.UserAgentName = "meshl4";
        node.UserAgentVersion = CommandLine.ProxyCommand.Version;
        return node;
    }
}

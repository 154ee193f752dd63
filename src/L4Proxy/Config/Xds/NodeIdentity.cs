using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>Who the proxy says it is: the bootstrap's node, with the program's own name and version.</summary>
internal static class NodeIdentity
{
    /// <summary>What a server may count on: a time to live with each resource, and, in state of the world too, the envelope that carries it.</summary>
    private static readonly string[] Features = ["xds.config.supports-resource-ttl", "xds.config.resource-in-sotw"];

    /// <summary>A copy of <paramref name="configured"/> with user agent and features; what the bootstrap says about that is overwritten.</summary>
    public static Node Of(Node configured)
    {
        Node node = configured.Clone();
        node.UserAgentName = "meshl4";
        node.UserAgentVersion = CommandLine.ProxyCommand.Version;
        node.ClientFeatures.Add(Features.Except(node.ClientFeatures));
        return node;
    }
}

namespace MeshL4.L4Proxy.Config.Xds;

/// <summary>One control plane that streams can be opened to.</summary>
/// <param name="Name">For logs and metrics.</param>
/// <param name="Open">Opens a stream of a method, given as its path.</param>
internal sealed record DiscoveryServer(string Name, Func<string, IDiscoveryTransport> Open);

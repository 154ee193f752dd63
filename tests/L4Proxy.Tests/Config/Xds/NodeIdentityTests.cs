using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

public sealed class NodeIdentityTests
{
    /// <summary>A server that keeps to the protocol sends times to live, and envelopes in state of the world, to nobody else.</summary>
    [Fact]
    public void Features_TellOfTimesToLive_BesideThoseOfTheBootstrap()
    {
        var configured = new Node { Id = "n", ClientFeatures = { "x", "xds.config.supports-resource-ttl" } };
        NodeIdentity.Of(configured).ClientFeatures.ShouldBe(["x", "xds.config.supports-resource-ttl", "xds.config.resource-in-sotw"]);
        configured.ClientFeatures.Count.ShouldBe(2, "the bootstrap's own stays as it is");
    }
}

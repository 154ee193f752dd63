using System.Net;
using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.TestKit.XdsResources;
using Bootstrap = MeshL4.TestKit.Bootstrap;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>A word that a message of the proxy's own does not have refuses its listener by name: a policy that is misspelt is no policy.</summary>
public sealed class MisspeltPolicyTests
{
    [Theory]
    [InlineData("""{"authorizations": {"deny": [{"methods": ["get"]}]}}""", "authorizations: is no field of meshl4.xrpc.v1.Policies")]
    [InlineData("""{"authorization": {"denny": [{"methods": ["get"]}], "deny": [{"methods": ["del"]}]}}""", "authorization.denny: is no field of meshl4.xrpc.v1.Authorization")]
    [InlineData("""{"authorization": {"deny": [{"key": [{"prefix": "secret"}]}]}}""", "authorization.deny[0].key: is no field of meshl4.xrpc.v1.AuthorizationRule")]
    public async Task Policy_ThatIsMisspelt_RefusesItsListener(string policies, string reason)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int port = Bootstrap.FreePort();
        plane.Set("1", WithPolicies(port, policies), StaticCluster("cache", (IPEndPoint)TestKit.Peer.Refusing()));
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await plane.RequestAsync(".Listener", static r => (string?)r["response_nonce"] is { Length: > 0 }, "the listener is answered");

        plane.Refusals.ShouldHaveSingleItem().ShouldBe($"Listener/redis: filter_chains[0].filters[0].typed_config.value.policies.{reason}");
        plane.Set("2", WithPolicies(port, """{"authorization": {"deny": [{"methods": ["get"]}]}}"""), StaticCluster("cache", (IPEndPoint)TestKit.Peer.Refusing()));
        await Patience.UntilAsync(async () => (await proxy.PageAsync("/listeners")).Contains($":{port}", StringComparison.Ordinal), "the listener that is right serves", () => proxy.Said);
    }

    private static JsonObject WithPolicies(int port, string policies) => WithFilters(
        Listener("redis", port, "cache"),
        new JsonObject
        {
            ["name"] = "redis",
            ["typed_config"] = TypedStructs.Of(
                "meshl4.xrpc.v1.XRpcProxy",
                $$$"""{"stat_prefix": "x", "codec": "redis", "route_config": {"routes": [{"forward": {"cluster": "cache"}}]}, "policies": {{{policies}}}}"""),
        });
}

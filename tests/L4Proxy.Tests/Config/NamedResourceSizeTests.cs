using Google.Protobuf;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.ConnectionLimit.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.TransportSockets.Tls.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;
using HttpRoutes = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Route.V3;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;
using Rpc = MeshL4.L4Proxy.Config.Protos.Meshl4.Xrpc.V1;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>What is told of the memory of routes, secrets and settings of filters; of settings for several kinds, since they have one figure.</summary>
[Collection(nameof(CompiledSizeTests))]
public sealed class NamedResourceSizeTests
{
    private const int Many = 1000;

    [Theory]
    [InlineData(TypeUrls.Routes, "routes")]
    [InlineData(TypeUrls.Secret, "secret")]
    [InlineData(TypeUrls.ExtensionConfig, "limit")]
    [InlineData(TypeUrls.ExtensionConfig, "rbac")]
    [InlineData(TypeUrls.ExtensionConfig, "rpc")]
    public void OfNamed_IsWithinHalfOfWhatTheCollectorCounts(string type, string kind)
    {
        new DiscoveredResources(static _ => []).Apply(Update(type, kind, 1)).Changed.Count.ShouldBe(1); // what the first one brings along
        var resources = new DiscoveredResources(static _ => []);
        ResourceUpdate update = Update(type, kind, Many);
        _ = update.Resources.Sum(static one => one.Wire.Length + (one.Fingerprint == 0 ? 1 : 0));
        long before = GC.GetTotalMemory(forceFullCollection: true);
        resources.Apply(update).Changed.Count.ShouldBe(Many);
        long held = GC.GetTotalMemory(forceFullCollection: true) - before;
        update.Resources.Select(one => CompiledSize.OfNamed(new ResourceKey(type, "ads", NameOf(0)), one.Wire.Length)).Sum().ShouldBeInRange(held / 2, held * 2);
        GC.KeepAlive(resources);
        GC.KeepAlive(update);
    }

    [Fact]
    public void Memory_OfEveryType_IsCounted()
    {
        var ledger = new ConfigLedger(TimeProvider.System);
        var resources = new DiscoveredResources(static _ => []);
        foreach ((string type, string kind) in new[] { (TypeUrls.Routes, "routes"), (TypeUrls.Secret, "secret"), (TypeUrls.ExtensionConfig, "limit") })
        {
            ResourceUpdate update = Update(type, kind, 10);
            ledger.Record(update, resources.Apply(update));
        }

        ledger.Memory(CompiledSize.Of(ProxySnapshot.Empty)).Select(static one => (one.Count, one.Compiled > 10 * 100)).ShouldBe([(10, true), (10, true), (10, true)]);
    }

    private static ResourceUpdate Update(string type, string kind, int count) =>
        new(type, "1", "ads", OfferedResource.Of(Enumerable.Range(0, count).Select(n => Resource(kind, NameOf(n)))), new IssueCollector());

    private static string NameOf(int n) => $"resource-{n:0000}";

    private static IMessage Resource(string kind, string name) => kind switch
    {
        "routes" => Routes(name),
        "secret" => new Secret { Name = name, GenericSecret = new GenericSecret { Secret = new DataSource { InlineString = new string('x', 1000) } } },
        "limit" => Settings(name, new ConnectionLimit { StatPrefix = "connections", MaxConnections = 100 }),
        "rbac" => Settings(name, Policies()),
        _ => Settings(name, RpcRoutes(name)),
    };

    private static TypedExtensionConfig Settings(string name, IMessage settings) => new() { Name = name, TypedConfig = Any.Pack(settings) };

    private static HttpRoutes.RouteConfiguration Routes(string name)
    {
        var routes = new HttpRoutes.RouteConfiguration { Name = name };
        routes.VirtualHosts.AddRange(Enumerable.Range(0, 10).Select(static n => new HttpRoutes.VirtualHost { Name = $"host-{n}", Domains = { $"host-{n}.example" } }));
        return routes;
    }

    private static NetworkRbac Policies()
    {
        var rules = new RBAC { Action = RBAC.Types.Action.Deny };
        for (int i = 0; i < 10; i++)
        {
            rules.Policies[$"policy-{i}"] = new Policy
            {
                Permissions = { new Permission { DestinationPort = (uint)(8000 + i) } },
                Principals = { new Principal { RemoteIp = new CidrRange { AddressPrefix = $"10.{i}.0.0", PrefixLen = 16 } } },
            };
        }

        return new NetworkRbac { StatPrefix = "tcp.", Rules = rules };
    }

    private static Rpc.RouteConfig RpcRoutes(string name)
    {
        var routes = new Rpc.RouteConfig { Name = name };
        routes.Routes.AddRange(Enumerable.Range(0, 10).Select(static n => new Rpc.Route
        {
            Name = $"route-{n}", Match = new Rpc.Match { KeyPrefix = $"user:{n}:" }, Forward = new Rpc.Forward { Cluster = $"cluster-{n}" },
        }));
        return routes;
    }
}

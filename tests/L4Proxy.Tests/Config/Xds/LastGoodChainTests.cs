using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Rbac.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Route.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.TcpProxy.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;
using NetworkFilterMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3.Filter;
using NetworkRbac = MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.Rbac.V3.RBAC;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A chain of the last good resources is the one that the control plane sends when it is back: its connections go on.</summary>
public sealed class LastGoodChainTests : IDisposable
{
    private readonly SnapshotStore _store = new();
    private readonly DnsResolution _dns = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });
    private readonly ResourceSink _sink;

    public LastGoodChainTests()
        => _sink = new ResourceSink(new SnapshotBuilder(new ClusterStateRegistry(), _dns), new ConfigLedger(TimeProvider.System), _store, static () => { }, static (_, _) => { });

    public void Dispose() => _dns.Dispose();

    [Fact]
    public void ExtensionAndFieldsThatAreNotKnown_AreNoDifference()
    {
        var stats = new Any { TypeUrl = "type.googleapis.com/stats.PluginConfig", Value = ByteString.CopyFromUtf8("{\"a\": 1}") };
        byte[] newer = [.. new TcpProxy { StatPrefix = "s", Cluster = "c" }.ToByteArray(), 0xf2, 0x3f, 2, .. "ab"u8]; // field 1022
        StaysTheSame(Chain(stats, new Any { TypeUrl = Any.Pack(new TcpProxy()).TypeUrl, Value = ByteString.CopyFrom(newer) }));
    }

    [Fact]
    public void HeadersThatTheEngineAdds_AreNoDifference()
    {
        var option = new HeaderValueOption { Header = new HeaderValue { Key = "authorization", Value = "Bearer x" } };
        StaysTheSame(Chain(Any.Pack(new HttpConnectionManager { StatPrefix = "s", RouteConfig = new RouteConfiguration { Name = "r", RequestHeadersToAdd = { option } } })));
    }

    [Fact]
    public void OrderOfPolicies_IsNoDifference()
    {
        FilterChain running = Deliver(Chain(Any.Pack(Policies("a", "b")), Any.Pack(new TcpProxy { StatPrefix = "s", Cluster = "c" })));
        FilterChainSnapshot before = Running();
        running.Filters[0].TypedConfig = Any.Pack(Policies("b", "a"));
        Deliver(running);
        Running().ShouldBeSameAs(before);
    }

    [Fact]
    public void WhatThisBuildActsOn_IsADifference()
    {
        FilterChain running = Deliver(Chain(Any.Pack(Policies("a")), Any.Pack(new TcpProxy { StatPrefix = "s", Cluster = "c" })));
        FilterChainSnapshot before = Running();
        running.Filters[0].TypedConfig = Any.Pack(Policies("a", "b"));
        Deliver(running);
        FilterChainSnapshot more = Running();
        more.ShouldNotBeSameAs(before);
        running.Filters[1].TypedConfig = Any.Pack(new TcpProxy { StatPrefix = "s", Cluster = "d" });
        Deliver(running);
        Running().ShouldNotBeSameAs(more);
    }

    private void StaysTheSame(FilterChain sent)
    {
        var saved = (Listener)SavedMessage.Of(Listener(sent)).Message;
        saved.FilterChains[0].Equals(sent).ShouldBeFalse("the file lacks something");
        Deliver(saved.FilterChains[0]);
        FilterChainSnapshot before = Running();
        Deliver(sent);
        Running().ShouldBeSameAs(before);
    }

    private static NetworkRbac Policies(params string[] names)
    {
        var rbac = new NetworkRbac { StatPrefix = "r", Rules = new RBAC { Action = RBAC.Types.Action.Allow } };
        foreach (string name in names)
        {
            rbac.Rules.Policies.Add(name, new Policy { Permissions = { new Permission { Any = true } }, Principals = { new Principal { Any = true } } });
        }

        return rbac;
    }

    private static FilterChain Chain(params Any[] settings)
    {
        var chain = new FilterChain { Name = "chain" };
        chain.Filters.AddRange(settings.Select(static one => new NetworkFilterMessage { Name = "f", TypedConfig = one }));
        return chain;
    }

    private FilterChainSnapshot Running() => _store.Current.Listeners.ShouldHaveSingleItem().FilterChains.ShouldHaveSingleItem();

    private static Listener Listener(FilterChain chain) => new()
    {
        Name = "l", FilterChains = { chain }, Address = new Address { SocketAddress = new SocketAddress { Address = "127.0.0.1", PortValue = 7001 } },
    };

    private FilterChain Deliver(FilterChain chain)
    {
        _sink.Deliver(new ResourceUpdate(TypeUrls.Listener, "1", "ads", OfferedResource.Of([Listener(chain)]), new IssueCollector()))
            .Issues.Where(static one => one.Severity == IssueSeverity.Error).ShouldBeEmpty();
        return chain;
    }
}

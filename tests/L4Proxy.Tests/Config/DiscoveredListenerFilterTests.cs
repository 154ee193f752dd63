using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.HttpInspector.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.ProxyProtocol.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Listener.TlsInspector.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.SniCluster.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;
using Int32Range = MeshL4.L4Proxy.Config.Protos.Envoy.Type.V3.Int32Range;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>Listener filters whose settings are discovered: waited for, exchanged, refused with a reason, and failing closed without.</summary>
public sealed class DiscoveredListenerFilterTests : IDisposable
{
    private readonly DnsResolution _names = new(static (_, _) => Task.FromResult<System.Net.IPAddress[]>([]), static () => { }, static (_, _) => { });
    private readonly SnapshotBuilder _builder;

    public DiscoveredListenerFilterTests() => _builder = new SnapshotBuilder(new ClusterStateRegistry(), _names);

    public void Dispose() => _names.Dispose();

    [Fact]
    public void Listener_WaitsForTheSettings_AndHasThemWithItsOwnPorts()
    {
        Apply(TypeUrls.Listener, Listener(Place<TlsInspector>(new Int32Range { Start = 3306, End = 3307 }))).ShouldBeEmpty();
        _builder.Build().Listeners.ShouldBeEmpty();
        _builder.Needs.ShouldHaveSingleItem().Name.ShouldBe("finds");
        _builder.WarmingListeners.ShouldBe(["l: TypedExtensionConfig/finds"]);

        Apply(TypeUrls.ExtensionConfig, Settings(new TlsInspector())).ShouldBeEmpty();
        ListenerFilters filters = Filters();
        filters.TlsInspector.ShouldBeTrue();
        filters.TlsInspectorDisabled!.Contains(3306).ShouldBeTrue();
        filters.LacksConfig.ShouldBeFalse();
    }

    [Fact]
    public void NewSettings_TakeTheirPlace_EqualOnesChangeNothing()
    {
        Apply(TypeUrls.Listener, Listener(Place<ProxyProtocol>()));
        Apply(TypeUrls.ExtensionConfig, Settings(new ProxyProtocol()));
        ListenerSnapshot first = _builder.Build().Listeners.ShouldHaveSingleItem();
        first.Filters.AllowWithoutProxyProtocol.ShouldBeFalse();
        Apply(TypeUrls.ExtensionConfig, Settings(new ProxyProtocol()), new TypedExtensionConfig { Name = "other", TypedConfig = Any.Pack(new TlsInspector()) });
        _builder.Build().Listeners[0].ShouldBeSameAs(first);
        Apply(TypeUrls.ExtensionConfig, Settings(new ProxyProtocol { AllowRequestsWithoutProxyProtocol = true }));
        Filters().AllowWithoutProxyProtocol.ShouldBeTrue();
    }

    [Fact]
    public void SettingsThatAreRemovedOrNeverCome_RefuseConnections_UnlessThereIsADefault()
    {
        ListenerFilter withDefault = Place<TlsInspector>();
        withDefault.ConfigDiscovery.DefaultConfig = Any.Pack(new TlsInspector());
        Apply(TypeUrls.Listener, Listener(Place<TlsInspector>()));
        _builder.Discovered.Settle(TypeUrls.ExtensionConfig, "ads", ["finds"]);
        Filters().LacksConfig.ShouldBeTrue();

        Apply(TypeUrls.Listener, Listener(withDefault));
        Filters().LacksConfig.ShouldBeFalse();
        Filters().TlsInspector.ShouldBeTrue();
    }

    [Fact]
    public void DefaultThatMayServeAtOnce_DoesNotWait()
    {
        ListenerFilter place = Place<HttpInspector>();
        (place.ConfigDiscovery.DefaultConfig, place.ConfigDiscovery.ApplyDefaultConfigWithoutWarming) = (Any.Pack(new HttpInspector()), true);
        Apply(TypeUrls.Listener, Listener(place)).ShouldBeEmpty();
        Filters().HttpInspector.ShouldBeTrue();
    }

    [Fact]
    public void SettingsOfAnotherKind_AreRefused_InEitherPlace()
    {
        Apply(TypeUrls.Listener, Listener(Place<TlsInspector>()));
        Apply(TypeUrls.ExtensionConfig, Settings(new HttpInspector())).ShouldContain("is a 'envoy.extensions.filters.listener.http_inspector.v3.HttpInspector' where the filter that asks for it takes");

        Apply(TypeUrls.Listener, Listener(Place<SniCluster>()));
        Apply(TypeUrls.ExtensionConfig, Settings(new SniCluster())).ShouldContain("is a network filter's, where a listener filter asks for settings");

        Listener listener = Listener();
        ListenerFilter place = Place<TlsInspector>();
        listener.FilterChains[0].Filters.Add(new Filter { Name = "finds", ConfigDiscovery = place.ConfigDiscovery });
        listener.FilterChains[0].Filters.Add(new Filter { Name = "ends", ConfigDiscovery = place.ConfigDiscovery });
        Apply(TypeUrls.Listener, listener);
        Apply(TypeUrls.ExtensionConfig, Settings(new TlsInspector())).ShouldContain("is a listener filter's, where a network filter asks for settings");
    }

    [Fact]
    public void PlaceWithoutASource_IsRefusedByItsPath()
    {
        ListenerFilter place = Place<TlsInspector>();
        place.ConfigDiscovery.ConfigSource = null;
        Apply(TypeUrls.Listener, Listener(place)).ShouldBe("Listener/l: listener_filters[0].config_discovery.config_source: is required");
    }

    private ListenerFilters Filters() => _builder.Build().Listeners.ShouldHaveSingleItem().Filters;

    private string Apply(string typeUrl, params IMessage[] resources)
    {
        var issues = new IssueCollector();
        _builder.Apply(new ResourceUpdate(typeUrl, "1", "ads", OfferedResource.Of(resources), issues));
        return string.Join('\n', issues.Issues.Select(static issue => (issue with { Origin = null }).ToString()));
    }

    private static TypedExtensionConfig Settings(IMessage settings) => new() { Name = "finds", TypedConfig = Any.Pack(settings) };

    private static ListenerFilter Place<T>(Int32Range? disabled = null)
        where T : IMessage<T>, new() => new()
        {
            Name = "finds",
            ConfigDiscovery = new ExtensionConfigSource { ConfigSource = new ConfigSource { Ads = new() }, TypeUrls = { "type.googleapis.com/" + new T().Descriptor.FullName } },
            FilterDisabled = disabled is null ? null : new ListenerFilterChainMatchPredicate { DestinationPortRange = disabled },
        };

    private static Listener Listener(params ListenerFilter[] filters) => new()
    {
        Name = "l", Address = new Address { SocketAddress = new SocketAddress { Address = "127.0.0.1", PortValue = 1 } },
        ListenerFilters = { filters }, FilterChains = { new FilterChain() },
    };
}

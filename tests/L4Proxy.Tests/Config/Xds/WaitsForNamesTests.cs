using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Listener.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Extensions.Filters.Network.HttpConnectionManager.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;
using ClusterMessage = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>The wait for what others name: a name that went and came back waits anew.</summary>
public sealed class WaitsForNamesTests : IAsyncLifetime
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(10);
    private readonly ManualTime _time = new();
    private readonly ClientFixture _fixture = new(new DeltaVariant());
    private readonly SnapshotStore _store = new();
    private readonly DnsResolution _dns = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });
    private readonly SnapshotBuilder _builder;
    private readonly ResourceSink _sink;
    private readonly NameDemand _names;
    private readonly EndpointDemand _endpoints;
    private Action _follow;

    public WaitsForNamesTests()
    {
        _builder = new SnapshotBuilder(new ClusterStateRegistry(), _dns);
        _sink = new ResourceSink(_builder, new ConfigLedger(TimeProvider.System), _store, Follow, static (_, _) => { });
        _names = new NameDemand(_sink, (_, _) => _fixture.Client, static (_, _) => { }, NullLogger.Instance, _time);
        _endpoints = new EndpointDemand(_sink, _ => _fixture.Client, true, NullLogger.Instance, _time);
        _follow = () =>
        {
            _names.Follow(_builder);
            _endpoints.Follow(_builder);
        };
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _names.Dispose();
        _endpoints.Dispose();
        _dns.Dispose();
        await _fixture.DisposeAsync();
    }

    [Fact]
    public void Routes_ThatWentAndCameBack_AreWaitedForAnew()
    {
        Deliver(TypeUrls.Listener, Listener());
        _time.Advance(Wait * 0.8);
        Deliver(TypeUrls.Listener);
        Deliver(TypeUrls.Listener, Listener());
        _time.Advance(Wait * 0.8);
        _builder.WarmingListeners.ShouldHaveSingleItem("the timer of the first wait has no say in the second");
        _time.Advance(Wait * 0.2);
        _builder.WarmingListeners.ShouldBeEmpty();
        _store.Current.Listeners.ShouldHaveSingleItem();
        _time.Pending.ShouldBe(0);
    }

    [Fact]
    public void Endpoints_ThatWentAndCameBack_AreWaitedForAnew()
    {
        Deliver(TypeUrls.Cluster, Cluster());
        _time.Advance(Wait * 0.8);
        Deliver(TypeUrls.Cluster);
        Deliver(TypeUrls.Cluster, Cluster());
        _time.Advance(Wait * 0.8);
        _builder.Warming.ShouldBe(["c"]);
        _time.Advance(Wait * 0.2);
        _builder.Warming.ShouldBeEmpty();
    }

    [Fact]
    public void Endpoints_TheServerDoesNotHave_AreNotWaitedFor_AndWhatNobodyWantsIsNotNoted()
    {
        _endpoints.GiveUp("ads", ["c"], "early");
        Deliver(TypeUrls.Cluster, Cluster());
        _builder.Warming.ShouldBe(["c"], "nobody wanted it then");
        _endpoints.GiveUp("ads", ["c"], "the server does not have them");
        _builder.Warming.ShouldBeEmpty();
        _store.Current.Clusters.ShouldContainKey("c");
    }

    /// <summary>Nobody has to see a snapshot in which nothing is other than before.</summary>
    [Fact]
    public void NamesNobodyWaitsFor_AreGivenUpWithoutASwap()
    {
        Deliver(TypeUrls.Cluster, Cluster());
        Deliver(TypeUrls.Listener, Listener());
        long before = _store.Current.Version;
        _endpoints.GiveUp("ads", ["other"], "the server does not have them");
        _names.GiveUp(TypeUrls.Routes, "ads", ["other"], "the server does not have them");
        _store.Current.Version.ShouldBe(before);
        _endpoints.GiveUp("ads", ["c"], "the server does not have them");
        _store.Current.Version.ShouldBe(before + 1);
        _names.GiveUp(TypeUrls.Routes, "ads", ["r"], "the server does not have them");
        _store.Current.Version.ShouldBe(before + 2);
        _time.Advance(Wait);
        _store.Current.Version.ShouldBe(before + 2, "both waits were over when their time came");
    }

    /// <summary>To ask for a stream opens it.</summary>
    [Fact]
    public void Endpoints_OfClustersNobodyUses_OpenNoStream()
    {
        int asked = 0;
        using var lazy = new LazyEndpoints(TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), _store);
        using var demand = new EndpointDemand(
            _sink,
            _ =>
            {
                asked++;
                return _fixture.Client;
            },
            true, NullLogger.Instance, _time);
        _builder.Lazy = lazy;
        _follow = () => demand.Follow(_builder);
        Deliver(TypeUrls.Cluster, Cluster());
        asked.ShouldBe(0);
    }

    [Fact]
    public void Endpoints_OfAStreamThatIsNotThere_AreNotWaitedFor()
    {
        using var nowhere = new EndpointDemand(_sink, static _ => null, false, NullLogger.Instance, _time);
        _follow = () => nowhere.Follow(_builder);
        Deliver(TypeUrls.Cluster, Cluster());
        _builder.Warming.ShouldBeEmpty();
        Deliver(TypeUrls.Cluster);
        Deliver(TypeUrls.Cluster, Cluster());
        _builder.Warming.ShouldBeEmpty();
        _store.Current.Clusters.ShouldContainKey("c");
    }

    [Fact]
    public void Routes_ForWhichAnotherListenerWaitsShorter_AreWaitedForAsLongAsThat_FromItsCome()
    {
        Deliver(TypeUrls.Listener, Listener());
        Deliver(TypeUrls.Listener, Listener(), Listener("other", 81, Wait / 2));
        _time.Advance(Wait / 2);
        _builder.WarmingListeners.ShouldBeEmpty();
    }

    private void Follow() => _follow();

    private void Deliver(string typeUrl, params Google.Protobuf.IMessage[] resources)
        => _sink.Deliver(new ResourceUpdate(typeUrl, "1", "ads", OfferedResource.Of(resources), new IssueCollector())).Issues.ShouldBeEmpty();

    private static ConfigSource Ads(TimeSpan wait)
        => new() { Ads = new AggregatedConfigSource(), ResourceApiVersion = ApiVersion.V3, InitialFetchTimeout = Duration.FromTimeSpan(wait) };

    private static ClusterMessage Cluster() => new()
    {
        Name = "c", Type = ClusterMessage.Types.DiscoveryType.Eds,
        EdsClusterConfig = new ClusterMessage.Types.EdsClusterConfig { EdsConfig = Ads(Wait) },
    };

    private static Listener Listener(string name = "l", uint port = 80, TimeSpan? wait = null)
    {
        var manager = new HttpConnectionManager
        {
            StatPrefix = "h", Rds = new Rds { RouteConfigName = "r", ConfigSource = Ads(wait ?? Wait) },
        };
        return new Listener
        {
            Name = name,
            Address = new Address { SocketAddress = new SocketAddress { Address = "127.0.0.1", PortValue = port } },
            FilterChains = { new FilterChain { Filters = { new Filter { Name = "h", TypedConfig = Any.Pack(manager) } } } },
        };
    }
}

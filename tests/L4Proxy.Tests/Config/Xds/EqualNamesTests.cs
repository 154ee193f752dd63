using System.Text;
using System.Text.Json;
using Google.Protobuf;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Decoding;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Core.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Endpoint.V3;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Route.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;
using Cluster = MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3.Cluster;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Equal names from two control planes, or from one and a file, are two resources.</summary>
public sealed class EqualNamesTests : IDisposable
{
    private readonly ConfigLedger _ledger = new(TimeProvider.System);
    private readonly SnapshotStore _store = new();
    private readonly DnsResolution _dns = new((_, _) => Task.FromResult(Array.Empty<System.Net.IPAddress>()), static () => { }, static (_, _) => { });
    private readonly SnapshotBuilder _builder;
    private readonly ResourceSink _sink;

    public EqualNamesTests()
    {
        _builder = new SnapshotBuilder(new ClusterStateRegistry(), _dns);
        _sink = new ResourceSink(_builder, _ledger, _store, static () => { }, static (_, _) => { });
        Deliver(TypeUrls.Cluster, "ads", Eds("a", Ads()), Eds("b", Grpc("one")), Eds("c", Grpc("two")), Eds("d", File("/eds.json")));
    }

    public void Dispose() => _dns.Dispose();

    [Fact]
    public void Endpoints_AreThoseOfTheSourceTheClusterNames()
    {
        _store.Current.Clusters.Keys.ShouldBe(["d"], "the others wait for a stream");
        Deliver(TypeUrls.Endpoints, SourceOf("b"), Endpoints("10.0.0.2"));
        _store.Current.Clusters.Keys.ShouldBe(["b", "d"], ignoreOrder: true);
        DeliverRest();
        Addresses().ShouldBe(["a 10.0.0.1:80", "b 10.0.0.2:80", "c 10.0.0.3:80", "d 10.0.0.4:80"]);
    }

    [Fact]
    public void Removal_ByOneSource_LeavesTheOthers()
    {
        Deliver(TypeUrls.Endpoints, SourceOf("b"), Endpoints("10.0.0.2"));
        DeliverRest();
        _sink.Deliver(new ResourceUpdate(TypeUrls.Endpoints, "", SourceOf("c"), [], new IssueCollector()) { Removed = ["s"] });
        _ledger.Running.Where(one => one.TypeUrl == TypeUrls.Endpoints).Select(one => one.Source).ShouldBe(
            [SourceOf("a"), SourceOf("b"), SourceOf("d")], ignoreOrder: true);
        _builder.Warming.ShouldBe(["c"], "it waits again; the others do not");
        Addresses().ShouldBe(["a 10.0.0.1:80", "b 10.0.0.2:80", "c 10.0.0.3:80", "d 10.0.0.4:80"], "the version before serves on");
    }

    [Fact]
    public void Wait_ThatIsGivenUpForOneSource_GoesOnForTheOther()
    {
        _sink.Refresh(builder => builder.GiveUp(SourceOf("b"), ["s"]));
        _store.Current.Clusters.Keys.ShouldBe(["b", "d"], ignoreOrder: true);
        _builder.Warming.ShouldBe(["a", "c"], ignoreOrder: true);
    }

    [Fact]
    public void Routes_OfAnotherSource_AreNotWaitedFor()
    {
        ResourceNeed need = Need(Grpc("one"));
        Deliver(TypeUrls.Routes, "ads", new RouteConfiguration { Name = "r" });
        _builder.Discovered.Lacks(need).ShouldBeTrue();
        _builder.Discovered.Lacks(Need(Ads())).ShouldBeFalse();
        Deliver(TypeUrls.Routes, need.Source, new RouteConfiguration { Name = "r" });
        _builder.Discovered.Lacks(need).ShouldBeFalse();
    }

    /// <summary>They are compared for each of ten thousand resources with each update.</summary>
    [Fact]
    public void Sources_AreMadeOnce_AndSharedByAllThatNameThem()
    {
        Deliver(TypeUrls.Cluster, "ads", Eds("b", Grpc("one")), Eds("e", Grpc("one")));
        ReferenceEquals(SourceOf("b"), SourceOf("e")).ShouldBeTrue();
        ResourceNeed need = Need(Grpc("one"));
        ReferenceEquals(need.Source, Need(Grpc("one")).Source).ShouldBeTrue();
        ReferenceEquals(need.Key.Source, need.Source).ShouldBeTrue();
    }

    [Fact]
    public void Dump_ShowsBoth()
    {
        Deliver(TypeUrls.Endpoints, SourceOf("b"), Endpoints("10.0.0.2"));
        DeliverRest();
        Deliver(TypeUrls.Routes, "ads", new RouteConfiguration { Name = "r" });
        Deliver(TypeUrls.Routes, "rds@one#1", new RouteConfiguration { Name = "r" });
        using var dump = new MemoryStream();
        using (var writer = new Utf8JsonWriter(dump))
        {
            _ledger.WriteDump(writer, null, null);
        }

        string text = Encoding.UTF8.GetString(dump.ToArray());
        foreach (string address in (string[])["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"])
        {
            text.ShouldContain(address);
        }

        text.Split("\"name\":\"r\",\"version_info\"").Length.ShouldBe(3);
    }

    /// <summary>The last good resources are kept by the name of their source: it has to be the same after a restart.</summary>
    [Fact]
    public void Source_IsKnownAsAStream_EqualForEqualSettings()
    {
        SourceOf("b").ShouldStartWith("eds@one#");
        SourceOf("b").ShouldBe(StreamOf(Grpc("one")).SourceOf(TypeUrls.Endpoints));
        SourceOf("b").ShouldNotBe(SourceOf("c"));
        foreach (string source in (string[])[SourceOf("a"), SourceOf("b"), SourceOf("c")])
        {
            DiscoveryMethods.IsStream(source).ShouldBeTrue(source);
        }

        DiscoveryMethods.IsStream(SourceOf("d")).ShouldBeFalse();
    }

    /// <summary>The file keeps clusters without the fields that this build does not know.</summary>
    [Fact]
    public void Source_IsMadeOfWhatIsKnown_AndOfAllOfThat()
    {
        byte[] unknown = [0xf2, 0x3f, 1, 0x41]; // field 1022
        ConfigSource source = Google("plane:1");
        string plain = StreamOf(source).SourceOf(TypeUrls.Endpoints);
        source.ApiConfigSource = ApiConfigSource.Parser.ParseFrom([.. source.ApiConfigSource.ToByteArray(), .. unknown]);
        source.ApiConfigSource.GrpcServices[0] = GrpcService.Parser.ParseFrom([.. source.ApiConfigSource.GrpcServices[0].ToByteArray(), .. unknown]);
        StreamOf(source).SourceOf(TypeUrls.Endpoints).ShouldBe(plain);
        var all = new HashSet<string> { plain, StreamOf(Google("plane:2")).SourceOf(TypeUrls.Endpoints), StreamOf(Grpc("plane:1")).SourceOf(TypeUrls.Endpoints) };
        all.Add(Changed(static api => api.ApiType = ApiConfigSource.Types.ApiType.DeltaGrpc)).ShouldBeTrue();
        all.Add(Changed(static api => api.SetNodeOnFirstMessageOnly = true)).ShouldBeTrue();
        all.Add(Changed(static api => api.GrpcServices.Add(api.GrpcServices[0]))).ShouldBeTrue();
        all.Add(Changed(static api => api.GrpcServices[0].InitialMetadata.Add(new HeaderValue { Key = "a", Value = "b" }))).ShouldBeTrue();
        all.Add(Changed(static api => api.GrpcServices[0].InitialMetadata.Add(new HeaderValue { Key = "ab", Value = "" }))).ShouldBeTrue();
        all.Add(Changed(static api => api.GrpcServices[0].GoogleGrpc.ChannelCredentials = new() { SslCredentials = new() })).ShouldBeTrue();
        all.Add(Changed(static api => api.GrpcServices[0].GoogleGrpc.ChannelCredentials = new() { SslCredentials = new() { RootCerts = new DataSource { Filename = "/a" } } })).ShouldBeTrue();
        all.Add(Changed(static api => api.GrpcServices[0].GoogleGrpc.CallCredentials.Add(new GrpcService.Types.GoogleGrpc.Types.CallCredentials { AccessToken = "t" }))).ShouldBeTrue();
        all.Count.ShouldBe(11);

        static string Changed(Action<ApiConfigSource> change)
        {
            ConfigSource changed = Google("plane:1");
            change(changed.ApiConfigSource);
            return StreamOf(changed).SourceOf(TypeUrls.Endpoints);
        }
    }

    private void DeliverRest()
    {
        Deliver(TypeUrls.Endpoints, SourceOf("a"), Endpoints("10.0.0.1"));
        Deliver(TypeUrls.Endpoints, SourceOf("c"), Endpoints("10.0.0.3"));
        Deliver(TypeUrls.Endpoints, SourceOf("d"), Endpoints("10.0.0.4"));
    }

    private static ResourceNeed Need(ConfigSource source)
        => ResourceNeed.From(TypeUrls.Routes, "r", source, new DecodeScope(new IssueCollector(), "")).ShouldNotBeNull();

    private string SourceOf(string cluster) => _builder.Clusters.Single(one => one.Template.Name == cluster).EdsSource;

    private List<string> Addresses() => [.. _store.Current.Clusters.Values
        .Select(static cluster => string.Join(' ', cluster.Endpoints.Select(static one => one.Address.ToString()).Prepend(cluster.Name))).Order(StringComparer.Ordinal)];

    private void Deliver(string typeUrl, string source, params Google.Protobuf.IMessage[] resources)
        => _sink.Deliver(new ResourceUpdate(typeUrl, "1", source, OfferedResource.Of(resources), new IssueCollector())).Issues.ShouldBeEmpty();

    private static StreamSourceConfig StreamOf(ConfigSource source)
    {
        var issues = new IssueCollector();
        return ControlPlaneDecoder.StreamOf(source, new DecodeScope(issues, "")).ShouldNotBeNull(string.Join('\n', issues.Issues));
    }

    private static ConfigSource Ads() => new() { Ads = new AggregatedConfigSource(), ResourceApiVersion = ApiVersion.V3 };

    private static ConfigSource File(string path) => new() { PathConfigSource = new PathConfigSource { Path = path }, ResourceApiVersion = ApiVersion.V3 };

    private static ConfigSource Grpc(string cluster) => new()
    {
        ResourceApiVersion = ApiVersion.V3,
        ApiConfigSource = new ApiConfigSource
        {
            ApiType = ApiConfigSource.Types.ApiType.Grpc, TransportApiVersion = ApiVersion.V3,
            GrpcServices = { new GrpcService { EnvoyGrpc = new GrpcService.Types.EnvoyGrpc { ClusterName = cluster } } },
        },
    };

    private static ConfigSource Google(string target)
    {
        ConfigSource source = Grpc("");
        source.ApiConfigSource.GrpcServices[0] = new GrpcService { GoogleGrpc = new GrpcService.Types.GoogleGrpc { TargetUri = target, StatPrefix = "x" } };
        return source;
    }

    private static Cluster Eds(string name, ConfigSource source) => new()
    {
        Name = name, Type = Cluster.Types.DiscoveryType.Eds,
        EdsClusterConfig = new Cluster.Types.EdsClusterConfig { ServiceName = "s", EdsConfig = source },
    };

    private static ClusterLoadAssignment Endpoints(string address) => new()
    {
        ClusterName = "s",
        Endpoints =
        {
            new LocalityLbEndpoints
            {
                LbEndpoints =
                {
                    new LbEndpoint { Endpoint = new Endpoint { Address = new Address { SocketAddress = new SocketAddress { Address = address, PortValue = 80 } } } },
                },
            },
        },
    };
}

using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;
using MeshL4.L4Proxy.Clusters;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Files;
using MeshL4.L4Proxy.Config.Snapshots;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

public sealed class FileSourceTests : IDisposable
{
    private readonly ConfigFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private void Begin()
    {
        _folder.Write("cds.yaml", ConfigFolder.Clusters("c1", ("c", "127.0.0.1", 7001), ("d", "127.0.0.1", 7002)));
        _folder.Write("lds.yaml", ConfigFolder.Listeners("l1", ("a", 1001, "c"), ("b", 1002, "d")));
        _folder.Start(ConfigFolder.Dynamic).Listeners.Length.ShouldBe(2);
    }

    private EndPoint AddressOf(string cluster) => _folder.Store.Current.Clusters[cluster].Endpoints.Single().Address;

    private JsonElement Dump()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            _folder.ConfigPath.Ledger.WriteDump(writer, null, null);
        }

        return JsonDocument.Parse(buffer.ToArray()).RootElement.Clone();
    }

    [Fact]
    public async Task Rename_NewContent_IsTakenAndUnchangedResourcesKeepTheirObjects()
    {
        Begin();
        ProxySnapshot before = _folder.Store.Current;
        _folder.Replace("cds.yaml", ConfigFolder.Clusters("c2", ("c", "127.0.0.1", 8001), ("d", "127.0.0.1", 7002)));
        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:8001")));
        ProxySnapshot after = _folder.Store.Current;
        after.Clusters["d"].ShouldBeSameAs(before.Clusters["d"]);
        after.Listeners[0].ShouldBeSameAs(before.Listeners[0]);
        after.Clusters["c"].ShouldNotBeSameAs(before.Clusters["c"]);
        after.Clusters["c"].State.ShouldBeSameAs(before.Clusters["c"].State);
    }

    [Fact]
    public void Content_ThatChangesAtEveryLook_IsTakenAfterSomeLooks()
    {
        string path = _folder.Path("cds.yaml");
        var source = new FileSource(path, TypeUrls.Cluster, new Sink(), static reason => throw new InvalidOperationException(reason));
        var looks = new List<FileLook>();
        for (int port = 1000; port < 1020; port++)
        {
            _folder.Write("cds.yaml", ConfigFolder.Clusters($"v{port}", ("c", "127.0.0.1", port)));

            // Not every kernel tells two writes of one moment apart.
            File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch.AddSeconds(port));
            looks.Add(source.Look());
        }

        looks.Count(static look => look == FileLook.Delivered).ShouldBe(2);
        looks.IndexOf(FileLook.Delivered).ShouldBe(8);
    }

    [Fact]
    public async Task Absence_RemovesListenerAndCluster()
    {
        Begin();
        _folder.Replace("lds.yaml", ConfigFolder.Listeners("l2", ("a", 1001, "c")));
        _folder.Replace("cds.yaml", ConfigFolder.Clusters("c2", ("c", "127.0.0.1", 7001)));
        await ConfigFolder.Until(() => _folder.Store.Current is { Listeners.Length: 1, Clusters.Count: 1 });
        _folder.Store.Current.Listeners[0].Name.ShouldBe("a");
    }

    [Fact]
    public async Task SymlinkSwap_AsOfMountedConfigMaps_IsFollowed()
    {
        Directory.CreateDirectory(_folder.Path("v1"));
        Directory.CreateDirectory(_folder.Path("v2"));
        _folder.Write("v1/cds.yaml", ConfigFolder.Clusters("c1", ("c", "127.0.0.1", 7001)));
        _folder.Write("v2/cds.yaml", ConfigFolder.Clusters("c2", ("c", "127.0.0.1", 7009)));
        File.CreateSymbolicLink(_folder.Path("..data"), "v1");
        File.CreateSymbolicLink(_folder.Path("cds.yaml"), "..data/cds.yaml");
        _folder.Start("dynamic_resources: {cds_config: {path_config_source: {path: $DIR/cds.yaml, watched_directory: {path: $DIR}}}}");
        AddressOf("c").ShouldBe(IPEndPoint.Parse("127.0.0.1:7001"));
        File.CreateSymbolicLink(_folder.Path("..data_tmp"), "v2");
        using (var move = System.Diagnostics.Process.Start("mv", ["-T", _folder.Path("..data_tmp"), _folder.Path("..data")]))
        {
            await move.WaitForExitAsync();
            move.ExitCode.ShouldBe(0);
        }

        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:7009")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("version_info: x\nresources: [{'@type': type.googleapis.com/envoy.config.cluster.v3.Clus")]
    [InlineData("][")]
    public async Task BrokenFile_KeepsWhatRunsAndIsVisible(string broken)
    {
        Begin();
        ProxySnapshot before = _folder.Store.Current;
        _folder.Replace("cds.yaml", broken);
        await ConfigFolder.Until(() => _folder.ConfigPath.Ledger.Rejected.Count == 1);
        _folder.Store.Current.Clusters["c"].ShouldBeSameAs(before.Clusters["c"]);
        _folder.ConfigPath.Ledger.Rejected[0].Reasons.ShouldNotBeEmpty();
        _folder.Replace("cds.yaml", ConfigFolder.Clusters("c3", ("c", "127.0.0.1", 8003)));
        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:8003")));
        _folder.ConfigPath.Ledger.Rejected.ShouldBeEmpty();
    }

    [Fact]
    public async Task VanishedFile_KeepsWhatRunsAndComesBack()
    {
        Begin();
        File.Delete(_folder.Path("cds.yaml"));
        await ConfigFolder.Until(() => _folder.ConfigPath.Ledger.Rejected.Count == 1);
        _folder.Store.Current.Clusters.Count.ShouldBe(2);
        _folder.Write("cds.yaml", ConfigFolder.Clusters("c2", ("c", "127.0.0.1", 8002)));
        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:8002")));
    }

    [Fact]
    public async Task BadResource_KeepsItsLastGoodVersionWhileTheGoodAreApplied()
    {
        Begin();
        string update = ConfigFolder.Clusters("c2", ("c", "127.0.0.1", 8001), ("d", "not-an-address", 7002));
        _folder.Replace("cds.yaml", update);
        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:8001")));
        AddressOf("d").ShouldBe(IPEndPoint.Parse("127.0.0.1:7002"));
        JsonElement clusters = Dump().GetProperty("configs").EnumerateArray()
            .Single(one => one.GetProperty("@type").GetString()!.EndsWith("ClustersConfigDump", StringComparison.Ordinal));
        JsonElement bad = clusters.GetProperty("dynamic_active_clusters").EnumerateArray().Single(one => one.GetProperty("name").GetString() == "d");
        bad.GetProperty("version_info").GetString().ShouldBe("c1");
        bad.GetProperty("error_state").GetProperty("version_info").GetString().ShouldBe("c2");
        bad.GetProperty("error_state").GetProperty("details").GetString()!.ShouldContain("not-an-address");
        Encoding.UTF8.GetByteCount(bad.GetProperty("cluster").GetProperty("load_assignment").GetRawText()).ShouldBeGreaterThan(10);
    }

    [Fact]
    public async Task LdsFile_TwoListenersSwapTheirAddresses_IsTaken()
    {
        _folder.Write("cds.yaml", ConfigFolder.Clusters("1", ("c", "127.0.0.1", 1)));
        _folder.Write("lds.yaml", ConfigFolder.Listeners("1", ("a", 7001, "c"), ("b", 7002, "c")));
        _folder.Start(ConfigFolder.Dynamic);
        _folder.Replace("lds.yaml", ConfigFolder.Listeners("2", ("a", 7002, "c"), ("b", 7001, "c")));
        await ConfigFolder.Until(() => _folder.Store.Current.Listeners.Any(one => one is { Name: "a", Address: IPEndPoint { Port: 7002 } }));
        _folder.Store.Current.Listeners.Single(one => one.Name == "b").Address.ShouldBe(IPEndPoint.Parse("127.0.0.1:7001"));
    }

    [Fact]
    public async Task CdsFile_OneClusterChanges_ListenersStayTheSameList()
    {
        _folder.Write("cds.yaml", ConfigFolder.Clusters("1", ("c", "127.0.0.1", 1)));
        _folder.Write("lds.yaml", ConfigFolder.Listeners("1", ("a", 7001, "c")));
        _folder.Start(ConfigFolder.Dynamic);
        var before = _folder.Store.Current;
        _folder.Replace("cds.yaml", ConfigFolder.Clusters("2", ("c", "127.0.0.1", 2)));
        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:2")));
        (_folder.Store.Current.Listeners == before.Listeners).ShouldBeTrue("the table of 10,000 listeners would be built anew for each change of an endpoint");
    }

    [Fact]
    public async Task EdsFile_ChangedEndpoints_ChangeOnlyTheirCluster()
    {
        static string Eds(int port) => $$$$$$$$"""
            resources:
            - '@type': type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
              cluster_name: service
              endpoints: [{lb_endpoints: [{load_balancing_weight: 3, endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {{{{{{{{port}}}}}}}}}}}}]}]
            """;
        _folder.Write("eds.yaml", Eds(7001));
        _folder.Start("static_resources: {clusters: [{name: c, type: EDS, eds_cluster_config: {service_name: service, eds_config: {path_config_source: {path: $DIR/eds.yaml}}}}]}");
        AddressOf("c").ShouldBe(IPEndPoint.Parse("127.0.0.1:7001"));
        _folder.Store.Current.Clusters["c"].Endpoints[0].Weight.ShouldBe(3u);
        _folder.Replace("eds.yaml", Eds(7002));
        await ConfigFolder.Until(() => AddressOf("c").Equals(IPEndPoint.Parse("127.0.0.1:7002")));
    }

    [Fact]
    public async Task EdsFile_NobodyNamesAnyMore_IsForgotten_AndReadAgainWhenNamed()
    {
        for (int version = 1; version <= 2; version++)
        {
            _folder.Write($"eds-{version}.yaml", $$$$$$$$"""
                resources:
                - '@type': type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment
                  cluster_name: service
                  endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: {{{{{{{{7000 + version}}}}}}}}}}}}]}]
                """);
        }

        string Cds(int version) => $"resources: [{{'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster, name: c, type: EDS, eds_cluster_config: {{service_name: service, eds_config: {{path_config_source: {{path: '{_folder.Path($"eds-{version}.yaml")}'}}}}}}}}]";
        _folder.Write("cds.yaml", Cds(1));
        _folder.Start("dynamic_resources: {cds_config: {path_config_source: {path: $DIR/cds.yaml}}}");
        foreach (int version in (int[])[1, 2, 1])
        {
            _folder.Replace("cds.yaml", Cds(version));
            await ConfigFolder.Until(() => AddressOf("c").Equals(new IPEndPoint(IPAddress.Loopback, 7000 + version)));
            _folder.ConfigPath.Ledger.Running.Where(static one => one.TypeUrl == TypeUrls.Endpoints).ShouldHaveSingleItem()
                .Source.ShouldBe(_folder.Path($"eds-{version}.yaml"));
        }
    }

    [Fact]
    public void StrictDns_IsResolvedBeforeStartReturns()
    {
        // A start that took about as long as it waits for names at most shows nothing: the machine may have stood still meanwhile.
        TimeSpan shows = DnsResolution.LongestFirst - TimeSpan.FromSeconds(0.5);
        ImmutableArray<EndpointSnapshot> endpoints;
        Stopwatch start;
        int starts = 0;
        do
        {
            using var folder = new ConfigFolder();
            start = Stopwatch.StartNew();
            endpoints = folder.Start(
                "static_resources: {clusters: [{name: c, type: STRICT_DNS, dns_lookup_family: V4_ONLY, load_assignment: {cluster_name: c, "
                + "endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: localhost, port_value: 7001}}}}]}]}}]}").Clusters["c"].Endpoints;
            start.Stop();
        }
        while (endpoints.IsEmpty && start.Elapsed >= shows && ++starts < 5);

        EndpointSnapshot endpoint = endpoints.ShouldHaveSingleItem();
        endpoint.Address.ShouldBe(IPEndPoint.Parse("127.0.0.1:7001"));
        endpoint.Hostname.ShouldBe("localhost");
    }

    private sealed class Sink : IResourceSink
    {
        public UpdateVerdict Deliver(ResourceUpdate update) => new(true, [], []);

        public void Exclusively(Action work) => work();
    }
}

using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>The ways to a control plane: Unix socket, TLS with a client certificate and a token, several servers, a stream for each type.</summary>
public sealed class ReachingServersTests : IDisposable
{
    private const string Sources = "cds_config: {ads: {}, resource_api_version: V3}, lds_config: {ads: {}, resource_api_version: V3}";
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly int _port = Bootstrap.FreePort();
    private readonly Bootstrap _bootstrap = new();

    public void Dispose() => _blue.Dispose();

    [Fact]
    public async Task UnixSocket_IsAServerLikeAnyOther()
    {
        string path = Path.Combine(_bootstrap.Folder, "xds");
        await using ControlPlane plane = await ControlPlane.StartAsync("unix:" + path);
        Serve(plane);
        _bootstrap.Dynamic($"ads_config: {{api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{{google_grpc: {{target_uri: 'unix:{path}', stat_prefix: x}}, initial_metadata: [{{key: ClusterId, value: Kubernetes}}]}}]}}, {Sources}");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        JsonNode open = await plane.EventAsync(e => (string?)e["event"] == "open", "a stream");
        ((string?)open["metadata"]!["clusterid"]).ShouldBe("Kubernetes");
    }

    [Fact]
    public async Task Tls_WithClientCertificateAndToken_WhichIsReadAtEachConnect()
    {
        var certificates = new TestCertificates(_bootstrap.Folder);
        string token = Path.Combine(_bootstrap.Folder, "token");
        await File.WriteAllTextAsync(token, "first\n");
        var tls = new JsonObject { ["key"] = certificates.ServerKey, ["cert"] = certificates.ServerChain, ["ca"] = certificates.Root };
        await using ControlPlane plane = await ControlPlane.StartAsync(more: tls);
        Serve(plane);
        _bootstrap.Dynamic(Secured(plane.Port, certificates, token));
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        await Patience.UntilAsync(() => Tokens(plane).Count > 0, "a stream", plane.Said);
        Tokens(plane).ShouldBe(["Bearer first"]);

        await File.WriteAllTextAsync(token, "second\n");
        plane.Tell(new JsonObject { ["do"] = "end" });
        await Patience.UntilAsync(() => Tokens(plane).Count == 2, "a second stream", () => proxy.Said + plane.Said());
        Tokens(plane)[1].ShouldBe("Bearer second");
    }

    [Fact]
    public async Task ServerWithAForeignCertificate_IsNotTrusted()
    {
        var foreign = new TestCertificates(Directory.CreateDirectory(Path.Combine(_bootstrap.Folder, "foreign")).FullName);
        var trusted = new TestCertificates(_bootstrap.Folder);
        string token = Path.Combine(_bootstrap.Folder, "token");
        await File.WriteAllTextAsync(token, "secret");
        var tls = new JsonObject { ["key"] = foreign.ServerKey, ["cert"] = foreign.ServerChain };
        await using ControlPlane plane = await ControlPlane.StartAsync(more: tls);
        Serve(plane);
        _bootstrap.Dynamic(Secured(plane.Port, trusted, token).Replace("cds_config: {", "cds_config: {initial_fetch_timeout: 0.2s, ", StringComparison.Ordinal)
            .Replace("lds_config: {", "lds_config: {initial_fetch_timeout: 0.2s, ", StringComparison.Ordinal));
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await proxy.TellsAsync("no control plane at");
        plane.Events.ShouldNotContain(e => (string?)e["event"] == "open", "the token never left");
        (await proxy.StatAsync("control_plane.connected_state")).ShouldBe(0);
        (await proxy.StatAsync("cluster_manager.cds.init_fetch_timeout")).ShouldBe(1);
    }

    [Fact]
    public async Task ServerThatRefuses_IsLeftForTheNext()
    {
        await using ControlPlane first = await ControlPlane.StartAsync();
        await using ControlPlane second = await ControlPlane.StartAsync();
        first.Tell(new JsonObject { ["do"] = "refuse", ["code"] = 16, ["details"] = "no such identity" });
        Serve(second);
        _bootstrap.Ads("GRPC", first.Port, second.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        await proxy.TellsAsync("Unauthenticated: no such identity");
    }

    /// <summary>The preferred server accepts connections and never says anything, or takes requests and never responds.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ServerThatIsSilent_IsLeftForTheNext(bool opens)
    {
        using var mute = new MuteServer();
        await using ControlPlane idle = await ControlPlane.StartAsync();
        await using ControlPlane second = await ControlPlane.StartAsync();
        Serve(second);
        _bootstrap.Ads("DELTA_GRPC", opens ? idle.Port : mute.Port, second.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        await proxy.TellsAsync("no control plane at xds0");
        // Half of the time for a first answer.
        await proxy.TellsAsync("no answer within 7.5 s");
        (await proxy.StatAsync("cluster_manager.cds.init_fetch_timeout")).ShouldBe(0, "the second answered within that time");
    }

    [Theory]
    [InlineData("GRPC", "StreamClusters StreamListeners")]
    [InlineData("DELTA_GRPC", "DeltaClusters DeltaListeners")]
    public async Task TypesWithSourcesOfTheirOwn_ComeOverStreamsOfTheirOwn(string api, string methods)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", Listener("l", _port, "c"), StaticCluster("c", _blue.Address));
        _bootstrap.Cluster("plane", new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, plane.Port));
        string source = $"{{resource_api_version: V3, api_config_source: {{api_type: {api}, transport_api_version: V3, grpc_services: [{{envoy_grpc: {{cluster_name: plane}}}}]}}}}";
        _bootstrap.Dynamic($"cds_config: {source}, lds_config: {source}");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        string?[] Opened() => [.. plane.Events.Where(e => (string?)e["event"] == "open").Select(e => (string?)e["method"]).Order()];
        await Patience.UntilAsync(() => Opened().Length >= 2, "two streams", plane.Said);
        Opened().ShouldBe(methods.Split(' '));
        string[] series = [.. Exposition.Series(await proxy.PageAsync("/stats/prometheus"))];
        series.ShouldContain("envoy_control_plane_connection_attempts{}");
        series.ShouldBeUnique();
        (await proxy.StatAsync("control_plane.connection_attempts")).ShouldBe(2);
        (await proxy.StatAsync("control_plane.connected_state")).ShouldBe(1);
    }

    [Fact]
    public async Task TlsOfTheClusterThatServes_WithClientCertificate_NamesCheckedAndTheTokenFileReadAtEachConnect()
    {
        var certificates = new TestCertificates(_bootstrap.Folder);
        string token = Path.Combine(_bootstrap.Folder, "token");
        await File.WriteAllTextAsync(token, "first\n");
        var tls = new JsonObject { ["key"] = certificates.ServerKey, ["cert"] = certificates.ServerChain, ["ca"] = certificates.Root };
        await using ControlPlane plane = await ControlPlane.StartAsync(more: tls);
        Serve(plane);
        ThroughCluster(plane.Port, certificates, token, "match_typed_subject_alt_names: [{san_type: URI, matcher: {prefix: 'spiffe://'}}, {san_type: DNS, matcher: {exact: localhost}}]");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await SaysAsync(proxy, _port, "blue ");
        await Patience.UntilAsync(() => Tokens(plane).Count > 0, "a stream", plane.Said);
        Tokens(plane).ShouldBe(["Bearer first"]);
        await File.WriteAllTextAsync(token, "second\n");
        plane.Tell(new JsonObject { ["do"] = "end" });
        await Patience.UntilAsync(() => Tokens(plane).Count == 2, "a second stream", () => proxy.Said + plane.Said());
        Tokens(plane)[1].ShouldBe("Bearer second");
        string dump = await proxy.PageAsync("/config_dump");
        dump.ShouldContain(certificates.ClientKey, Case.Sensitive, "where a key stands is no secret");
        dump.ShouldNotContain("PRIVATE KEY");
    }

    [Theory]
    [InlineData("match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: istiod.istio-system.svc}}]")]
    [InlineData("match_subject_alt_names: [{prefix: 'spiffe://'}]")]
    [InlineData("")]
    public async Task TlsOfTheClusterThatServes_WithAnotherName_IsNotTrusted(string names)
    {
        var certificates = new TestCertificates(_bootstrap.Folder);
        string token = Path.Combine(_bootstrap.Folder, "token");
        await File.WriteAllTextAsync(token, "secret");
        var tls = new JsonObject { ["key"] = certificates.ServerKey, ["cert"] = certificates.ServerChain };
        await using ControlPlane plane = await ControlPlane.StartAsync(more: tls);
        Serve(plane);
        ThroughCluster(plane.Port, certificates, token, names, "sni: istiod.example, ", "initial_fetch_timeout: 0.2s, ");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(_bootstrap);
        await proxy.TellsAsync("no control plane at");
        plane.Events.ShouldNotContain(e => (string?)e["event"] == "open", "the token never left");
        (await proxy.StatAsync("control_plane.connected_state")).ShouldBe(0);
    }

    private void ThroughCluster(int port, TestCertificates certificates, string token, string names, string sni = "", string wait = "")
    {
        _bootstrap.RawCluster(
            $"{{name: xds, type: STATIC, connect_timeout: 10s, load_assignment: {{cluster_name: xds, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}}}]}}]}}, "
            + "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, "
            + $"{sni}common_tls_context: {{alpn_protocols: [h2], tls_certificates: [{{certificate_chain: {{filename: {certificates.ClientChain}}}, private_key: {{filename: {certificates.ClientKey}}}}}], "
            + $"validation_context: {{trusted_ca: {{filename: {certificates.Root}}}{(names.Length > 0 ? ", " + names : "")}}}}}}}}}}}");
        _bootstrap.Extension("control_plane", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, token_file: {token}");
        _bootstrap.Dynamic("ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]}, "
            + Sources.Replace("_config: {", "_config: {" + wait, StringComparison.Ordinal));
    }

    private static List<string?> Tokens(ControlPlane plane)
        => [.. plane.Events.Where(e => (string?)e["event"] == "open").Select(e => (string?)e["metadata"]!["authorization"])];

    private static string Secured(int port, TestCertificates certificates, string token)
        => $"ads_config: {{api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{{google_grpc: {{target_uri: '127.0.0.1:{port}', stat_prefix: x, "
            + $"channel_credentials: {{ssl_credentials: {{root_certs: {{filename: {certificates.Root}}}, cert_chain: {{filename: {certificates.ClientChain}}}, private_key: {{filename: {certificates.ClientKey}}}}}}}, "
            + "call_credentials: [{from_plugin: {name: envoy.grpc_credentials.file_based_metadata, typed_config: {'@type': type.googleapis.com/envoy.config.grpc_credential.v3.FileBasedMetadataConfig, "
            + $"secret_data: {{filename: {token}}}, header_prefix: 'Bearer '}}}}}}]}}}}]}}, {Sources}";

    private void Serve(ControlPlane plane) => plane.Set("1", Listener("l", _port, "c"), EdsCluster("c"), Endpoints("c", _blue.Address));
}

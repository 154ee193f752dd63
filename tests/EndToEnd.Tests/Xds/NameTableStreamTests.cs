using System.Net;
using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>The name table over real streams: asked for when names are captured, taken, refused, shown, kept on disk.</summary>
public sealed class NameTableStreamTests
{
    private const string Nds = ".NameTable";

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task Table_ComesIsRefusedAndComesAgain_WhileNamesAreAnswered(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", NameTable(("web.ns.svc.cluster.local", ["10.0.0.1"])));
        Bootstrap bootstrap = Captured(out int port);
        bootstrap.Ads(api, plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        Dig(port, "web.ns").ShouldBe("10.0.0.1");
        await plane.RequestAsync(Nds, r => (string?)r["response_nonce"] is { Length: > 0 } && r["error_detail"] is null, "the table is acknowledged");

        plane.Set("2", NameTable(("web.ns.svc.cluster.local", ["10.0.0"])));
        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", plane.Said);
        plane.Refusals[0].ShouldBe("NameTable/name_table: table[\"web.ns.svc.cluster.local\"].ips[0]: '10.0.0' is not an IP address");
        Dig(port, "web.ns").ShouldBe("10.0.0.1");
        JsonNode shown = Dumped(await proxy.PageAsync("/config_dump"));
        ((string?)shown["name_table"]!["table"]!["web.ns.svc.cluster.local"]!["ips"]![0]).ShouldBe("10.0.0.1");
        ((string?)shown["error_state"]!["details"]).ShouldNotBeNull().ShouldContain("is not an IP address");
        (await proxy.StatAsync("dns_proxy.nds.update_rejected")).ShouldBe(1);

        plane.Set("3", NameTable(("web.ns.svc.cluster.local", ["10.0.0.3"])));
        await Patience.UntilAsync(() => Dig(port, "web.ns") == "10.0.0.3", "the mended table", () => proxy.Said);
        await Patience.UntilAsync(async () => await proxy.StatAsync("dns_proxy.hosts") == 1, "the one host is counted", () => proxy.Said);
    }

    [Fact]
    public async Task NamesThatAreNotCaptured_AreNotAskedFor()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", NameTable(("web.ns.svc.cluster.local", ["10.0.0.1"])));
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await plane.RequestAsync(".Listener", r => (string?)r["response_nonce"] is { Length: > 0 }, "the last type is acknowledged");
        plane.Requests(Nds).ShouldBeEmpty();
    }

    [Fact]
    public async Task ControlPlaneThatNeverSaysNames_HoldsReadinessUpForItsTimeOnly()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Bootstrap bootstrap = Captured(out int port, ", initial_fetch_timeout: 1s");
        bootstrap.Cluster("plane", new IPEndPoint(IPAddress.Loopback, plane.Port));
        const string source = "{ads: {}, initial_fetch_timeout: 0.2s, resource_api_version: V3}";
        bootstrap.Dynamic($"ads_config: {{api_type: GRPC, transport_api_version: V3, grpc_services: [{{envoy_grpc: {{cluster_name: plane}}}}]}}, cds_config: {source}, lds_config: {source}");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await Patience.UntilAsync(async () => await proxy.StatAsync("dns_proxy.nds.init_fetch_timeout") == 1, "the time-out is counted", () => proxy.Said);
        Dig(port, "web.ns").ShouldBe("", "no server knows it");
        (await proxy.StatAsync("dns_proxy.upstream_failures")).ShouldBe(1);
    }

    [Fact]
    public async Task FirstTable_IsWaitedForAndShownAsAwaited()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        Bootstrap bootstrap = Captured(out int port, ", initial_fetch_timeout: 0s");
        bootstrap.Cluster("plane", new IPEndPoint(IPAddress.Loopback, plane.Port));
        const string source = "{ads: {}, initial_fetch_timeout: 0.2s, resource_api_version: V3}";
        bootstrap.Dynamic($"ads_config: {{api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{{envoy_grpc: {{cluster_name: plane}}}}]}}, cds_config: {source}, lds_config: {source}");
        Task<ProxyProcess> starting = ProxyProcess.StartAsync(bootstrap);
        using var admin = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{bootstrap.AdminPort}") };
        await Patience.UntilAsync(async () => await PageAsync(admin, "/init_dump") is { } page && page.Contains("\"nds\"", StringComparison.Ordinal) && !page.Contains("\"lds\"", StringComparison.Ordinal), "names alone are awaited", plane.Said);
        starting.IsCompleted.ShouldBeFalse("ready before the first table");
        Run.Must("dig", "+tries=1", "+time=8", "@127.0.0.1", "-p", $"{port}", "web.ns", "A").ShouldContain("SERVFAIL");
        plane.Set("1", NameTable(("web.ns.svc.cluster.local", ["10.0.0.1"])));
        await using ProxyProcess proxy = await starting;
        Dig(port, "web.ns").ShouldBe("10.0.0.1");
        (await proxy.PageAsync("/init_dump")).ShouldNotContain("nds");
    }

    [Fact]
    public async Task NoControlPlaneAtTheStart_NamesAreThoseOnDisk()
    {
        string file = Path.Combine(Directory.CreateTempSubdirectory("meshl4-test-").FullName, "snapshot");
        await using (ControlPlane plane = await ControlPlane.StartAsync())
        {
            plane.Set("1", NameTable(("web.ns.svc.cluster.local", ["10.0.0.1"])));
            Bootstrap first = Captured(out int port);
            first.Ads("DELTA_GRPC", plane.Port);
            Keep(first, file);
            await using ProxyProcess proxy = await ProxyProcess.StartAsync(first);
            Dig(port, "web.ns").ShouldBe("10.0.0.1");
            await Patience.UntilAsync(() => File.Exists(file) && File.ReadAllText(file).Contains("web.ns.svc", StringComparison.Ordinal), "the table is saved", () => proxy.Said);
        }

        Bootstrap second = Captured(out int again);
        second.Ads("DELTA_GRPC", Bootstrap.FreePort());
        Keep(second, file);
        await using ProxyProcess alone = await ProxyProcess.StartAsync(second);
        Dig(again, "web.ns").ShouldBe("10.0.0.1");
        Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
    }

    /// <summary>pilot-agent serves DNS itself, beside an Envoy whose node says DNS_CAPTURE.</summary>
    [Fact]
    public async Task PortThatAnAgentHas_LeavesNamesToTheAgent()
    {
        using var agent = new System.Net.Sockets.UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        await using ControlPlane plane = await ControlPlane.StartAsync();
        plane.Set("1", NameTable(("web.ns.svc.cluster.local", ["10.0.0.1"])));
        var bootstrap = new Bootstrap { CapturesDns = true };
        int port = ((IPEndPoint)agent.Client.LocalEndPoint!).Port;
        bootstrap.Extension("dns", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.DnsProxyOptions, addresses: [{{address: 127.0.0.1, port_value: {port}}}]");
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await proxy.TellsAsync("DNS_CAPTURE is set and the DNS proxy is off");
        await plane.RequestAsync(".Listener", r => (string?)r["response_nonce"] is { Length: > 0 }, "the last type is acknowledged");
        plane.Requests(Nds).ShouldBeEmpty();
    }

    private static Bootstrap Captured(out int port, string more = "")
    {
        var bootstrap = new Bootstrap();
        port = Bootstrap.FreePort();
        bootstrap.Extension("dns", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.DnsProxyOptions, enabled: true, addresses: [{{address: 127.0.0.1, port_value: {port}}}], upstreams: [{{address: 127.0.0.1, port_value: {Bootstrap.FreePort()}}}]{more}");
        return bootstrap;
    }

    private static void Keep(Bootstrap bootstrap, string file)
        => bootstrap.Extension("control_plane", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, snapshot_file: {file}, snapshot_wait: 1s");

    private static async Task<string?> PageAsync(HttpClient admin, string path)
    {
        try
        {
            return await admin.GetStringAsync(path);
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static JsonNode Dumped(string dump) => JsonNode.Parse(dump)!["configs"]!.AsArray()
        .Single(one => ((string?)one!["@type"])!.EndsWith(".NameTablesConfigDump", StringComparison.Ordinal))!["dynamic_name_tables"]![0]!;

    private static string Dig(int port, string name)
        => Run.Must("dig", "+short", "+tries=1", "+time=8", "@127.0.0.1", "-p", $"{port}", name, "A").Trim();
}

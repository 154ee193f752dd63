using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Secrets that TLS settings name are asked for, checked, answered, and shown without what is secret about them.</summary>
public sealed class SecretDiscoveryTests : IDisposable
{
    private const string Sds = ".Secret";
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly int _port = Bootstrap.FreePort();
    private readonly Bootstrap _bootstrap = new();
    private readonly TestCertificates _certificates;

    public SecretDiscoveryTests() => _certificates = new TestCertificates(_bootstrap.Folder);

    public void Dispose() => _blue.Dispose();

    private string Chain => File.ReadAllText(_certificates.ServerChain);

    private string Key => File.ReadAllText(_certificates.ServerKey);

    [Theory]
    [InlineData("GRPC")]
    [InlineData("DELTA_GRPC")]
    public async Task Secret_IsAskedForByName_Acknowledged_AndShownWithoutItsKey(string api)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        string saved = Path.Combine(_bootstrap.Folder, "last");
        _bootstrap.Extension("control_plane", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, snapshot_file: {saved}");
        JsonNode[] others = [WithTlsChain(Listener("l", _port, "c"), "server", Ads(0)), StaticCluster("c", _blue.Address)];
        plane.Set("1", [.. others, Certificate("server", Chain, Key)]);
        await using ProxyProcess proxy = await StartAsync(api, plane);
        await SaysAsync(proxy, _port, "blue ");
        await plane.RequestAsync(Sds, r => (string?)r["response_nonce"] is { Length: > 0 } && r["error_detail"] is null, "it is acknowledged");
        JsonNode secret = (await DumpAsync(proxy, "dynamic_active_secrets")).ShouldHaveSingleItem()!;
        ((string?)secret["name"]).ShouldBe("server");
        ((string?)secret["secret"]!["tls_certificate"]!["private_key"]!["inline_string"]).ShouldBe("[redacted]");
        ((string?)secret["secret"]!["tls_certificate"]!["certificate_chain"]!["inline_string"]).ShouldBe(Chain);
        string body = Key.Split('\n')[1];
        (await proxy.PageAsync("/config_dump")).ShouldNotContain(body);
        await Patience.UntilAsync(() => File.Exists(saved) && File.ReadAllText(saved).Contains("tls of l", StringComparison.Ordinal), "the last good resources are saved");
        File.ReadAllText(saved).ShouldNotContain("PRIVATE KEY");
        File.ReadAllText(saved).ShouldNotContain("v3.Secret");

        plane.Set("2", [.. others, Certificate("server", Chain, File.ReadAllText(_certificates.ClientKey))]);
        await Patience.UntilAsync(() => plane.Refusals.Count > 0, "a refusal", plane.Said);
        plane.Refusals[0].ShouldBe("Secret/server: tls_certificate.private_key: is no PEM key, or not that of the first certificate of certificate_chain");
        ((string?)(await DumpAsync(proxy, "dynamic_active_secrets"))[0]!["client_status"]).ShouldBe("NACKED");
        (await proxy.PageAsync("/config_dump")).ShouldNotContain(File.ReadAllText(_certificates.ClientKey).Split('\n')[1]);
        await SaysAsync(proxy, _port, "blue ");
    }

    [Theory]
    [InlineData("GRPC", "StreamSecrets")]
    [InlineData("DELTA_GRPC", "DeltaSecrets")]
    public async Task ListenerOfTlsChainsAlone_WaitsForItsSecrets_OneWithOthersDoesNot(string api, string method)
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int only = Bootstrap.FreePort();
        _bootstrap.Cluster("plane", new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, plane.Port));
        JsonObject source = RouteDiscoveryTests.Own(api);
        source["initial_fetch_timeout"] = new JsonObject { ["seconds"] = 0 };
        JsonNode[] others =
        [
            WithTlsChain(Listener("mixed", _port, "c"), "server", (JsonObject)source.DeepClone()),
            WithTlsChain(Listener("only", only, "c"), "server", source, alone: true), StaticCluster("c", _blue.Address),
        ];
        plane.Set("1", others);
        Task<ProxyProcess> starting = StartAsync(api, plane);
        await plane.EventAsync(e => (string?)e["event"] == "open" && (string?)e["method"] == method, "a stream for secrets");
        await plane.RequestAsync(Sds, _ => true, "the secret is asked for");
        plane.Set("2", [.. others, Certificate("server", Chain, Key)]);
        await using ProxyProcess proxy = await starting;
        await SaysAsync(proxy, _port, "blue ");
        await ClosesAsync(proxy, only);
        plane.Refusals.ShouldBeEmpty();
        plane.Requests(Sds).Count(r => r["node"] is not null).ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task ListenerWithAPlaintextChain_IsNotHeldUpByASecretThatNeverComes()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int only = Bootstrap.FreePort();
        plane.Set(
            "1", WithTlsChain(Listener("mixed", _port, "c"), "never", Ads(0)), WithTlsChain(Listener("only", only, "c"), "never", Ads(2), alone: true),
            StaticCluster("c", _blue.Address));
        await using ProxyProcess proxy = await StartAsync("DELTA_GRPC", plane);
        await SaysAsync(proxy, _port, "blue ");
        JsonNode waiting = (await DumpAsync(proxy, "dynamic_warming_secrets")).ShouldHaveSingleItem()!;
        ((string?)waiting["name"]).ShouldBe("never");
        await ClosesAsync(proxy, only);
    }

    [Fact]
    public async Task SecretsOfFilesAndOfTheBootstrap_AreTakenTheSameWay()
    {
        await using ControlPlane plane = await ControlPlane.StartAsync();
        string file = Path.Combine(_bootstrap.Folder, "secret.json");
        await File.WriteAllTextAsync(file, RouteDiscoveryTests.InFile(Certificate("server", Chain, Key)));
        var source = new JsonObject { ["path_config_source"] = new JsonObject { ["path"] = file } };
        plane.Set("1", WithTlsChain(Listener("only", _port, "c"), "server", source, alone: true), StaticCluster("c", _blue.Address));
        _bootstrap.Secret($"{{name: own, generic_secret: {{secret: {{inline_string: 'pass-phrase'}}}}}}");
        await using ProxyProcess proxy = await StartAsync("GRPC", plane);
        await ClosesAsync(proxy, _port);
        ((string?)(await DumpAsync(proxy, "dynamic_active_secrets")).ShouldHaveSingleItem()!["name"]).ShouldBe("server");
        ((string?)(await DumpAsync(proxy, "static_secrets")).ShouldHaveSingleItem()!["secret"]!["generic_secret"]!["secret"]!["inline_string"]).ShouldBe("[redacted]");
        string dump = await proxy.PageAsync("/config_dump");
        dump.ShouldNotContain("pass-phrase");
        dump.ShouldNotContain(Key.Split('\n')[1]);
    }

    private static async Task<JsonArray> DumpAsync(ProxyProcess proxy, string list)
        => JsonNode.Parse(await proxy.PageAsync("/config_dump?resource=" + list))!["configs"]![0]![list]!.AsArray();

    private Task<ProxyProcess> StartAsync(string api, ControlPlane plane)
    {
        _bootstrap.Ads(api, plane.Port);
        return ProxyProcess.StartAsync(_bootstrap);
    }
}

using System.Text.Json.Nodes;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.EndToEnd.Tests.Xds.Expect;
using static MeshL4.TestKit.XdsResources;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>Passwords are neither saved nor shown, and what cannot work without one refuses when the rest serves from disk.</summary>
public sealed class SavedSecretsTests : IDisposable
{
    private const string Password = "correct-horse";
    private readonly Peer _blue = Peer.Banner("blue ");
    private readonly int _port = Bootstrap.FreePort(), _redis = Bootstrap.FreePort();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("meshl4-saved-");

    public void Dispose()
    {
        _blue.Dispose();
        _folder.Delete(recursive: true);
    }

    private string Saved => Path.Combine(_folder.FullName, "last");

    [Fact]
    public async Task ChainWithAPassword_ClosesWhenItComesFromDisk_AndTheProxySaysWhatItLacks()
    {
        int plane;
        await using (ControlPlane first = await ControlPlane.StartAsync())
        {
            plane = first.Port;
            first.Set("1", Listener("l", _port, "c"), RedisListener(), StaticCluster("c", _blue.Address));
            await using ProxyProcess before = await ProxyProcess.StartAsync(Keeping(plane));
            await SaysAsync(before, _port, "blue ");
            await SayAsync(before, _redis, "PING\r\n", "-NOAUTH");
            await Patience.UntilAsync(() => File.Exists(Saved) && Text().Contains("with-password", StringComparison.Ordinal), "it is saved", () => before.Said);
            (await before.PageAsync("/config_dump")).ShouldNotContain(Password);
        }

        Text().ShouldNotContain(Password);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(Keeping(plane));
        await SaysAsync(proxy, _port, "blue ");
        await ClosesAsync(proxy, _redis);
        JsonNode state = JsonNode.Parse(await proxy.PageAsync("/server_info"))!["last_known_good"]!;
        string[] lacking = [.. state["lacking"]!.AsArray().Select(static one => (string)one!)];
        lacking.ShouldBe(
        [
            "Listener/with-password: filter_chains[0].filters[0].typed_config.downstream_auth_passwords is a secret and was not saved",
            "Listener/with-password: filter_chains[0] has no filters without it, and closes its connections",
        ]);
        await proxy.TellsAsync(lacking[0]);

        await using ControlPlane again = await ControlPlane.StartAsync($"127.0.0.1:{plane}");
        again.Set("2", Listener("l", _port, "c"), RedisListener(), StaticCluster("c", _blue.Address));
        await SayAsync(proxy, _redis, "PING\r\n", "-NOAUTH");
        JsonNode.Parse(await proxy.PageAsync("/server_info"))!["last_known_good"]!["lacking"].ShouldBeNull();
    }

    private string Text() => File.ReadAllText(Saved, System.Text.Encoding.Latin1);

    private Bootstrap Keeping(int plane)
    {
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane);
        bootstrap.Extension("control_plane", $"'@type': type.googleapis.com/meshl4.bootstrap.v1.ControlPlaneOptions, snapshot_file: {Saved}, snapshot_wait: 1s");
        return bootstrap;
    }

    private JsonObject RedisListener() => WithFilters(Listener("with-password", _redis, ""), new JsonObject
    {
        ["name"] = "redis",
        ["typed_config"] = new JsonObject
        {
            ["@type"] = "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
            ["stat_prefix"] = "r",
            ["settings"] = new JsonObject { ["op_timeout"] = new JsonObject { ["seconds"] = 1 } },
            ["prefix_routes"] = new JsonObject { ["catch_all_route"] = new JsonObject { ["cluster"] = "c" } },
            ["downstream_auth_passwords"] = new JsonArray(new JsonObject { ["inline_string"] = Password }),
        },
    });

    private static Task SayAsync(ProxyProcess proxy, int port, string question, string answer) => Patience.UntilAsync(
        async () =>
        {
            try
            {
                using Client client = await Client.ConnectAsync(port);
                await client.SendAsync(question);
                return await client.ReadAsync(answer) == answer;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return false;
            }
        },
        $"port {port} answers '{answer}'",
        () => proxy.Said);
}

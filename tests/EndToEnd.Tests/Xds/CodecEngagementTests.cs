using System.Net;
using System.Text.Json.Nodes;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using YamlDotNet.RepresentationModel;
using static MeshL4.TestKit.XdsResources;
using Bootstrap = MeshL4.TestKit.Bootstrap;
using Peer = MeshL4.EndToEnd.Tests.Behaviours.Stage.Peer;

namespace MeshL4.EndToEnd.Tests.Xds;

/// <summary>A control plane that knows no protocols sends <c>tcp_proxy</c> for a Redis port: the two ways of <c>deploy/</c> to engage the codec.</summary>
public sealed class CodecEngagementTests
{
    private const string Cache = "outbound|6379||cache.default.svc.cluster.local";
    private const string Sessions = "outbound|6379||sessions.default.svc.cluster.local";

    [Fact]
    public async Task CodecRule_TakesATcpProxyChain_AndItsClusterStays()
    {
        using Peer redis = Peer.Redis();
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int port = Bootstrap.FreePort(), plain = Bootstrap.FreePort();
        plane.Set("1", Listener("redis", port, Cache), StaticCluster(Cache, IPEndPoint.Parse(redis.Address)), Listener("plain", plain, "plain"), StaticCluster("plain", IPEndPoint.Parse(redis.Address)));
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        bootstrap.Extension("codecs", $"'@type': type.googleapis.com/meshl4.xrpc.v1.CodecRules, rules: [{CodecRules()}]");
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);

        using Conversation client = await ConnectAsync(proxy, port);
        client.Ask("SET", "k", "v").ShouldBe("+OK\r\n");
        using Conversation other = await ConnectAsync(proxy, plain);
        other.Ask("GET", "k").ShouldBe("$1\r\nv\r\n");
        await Patience.UntilAsync(async () => await proxy.StatAsync("redis.redis.command.set.total") == 1, "the command is counted", () => proxy.Said);
        (await proxy.StatAsync("redis.redis.command.get.total")).ShouldBe(0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task EnvoyFilter_AsTypedStruct_RoutesByKeyAndRefusesWhatItNames(bool camelCase)
    {
        using Peer cache = Peer.Redis(), sessions = Peer.Redis();
        await using ControlPlane plane = await ControlPlane.StartAsync();
        int port = Bootstrap.FreePort();
        plane.Set(
            "1", WithFilters(Listener("redis", port, Cache), EnvoyFilter(camelCase)),
            StaticCluster(Cache, IPEndPoint.Parse(cache.Address)), StaticCluster(Sessions, IPEndPoint.Parse(sessions.Address)));
        var bootstrap = new Bootstrap();
        bootstrap.Ads("DELTA_GRPC", plane.Port);
        await using ProxyProcess proxy = await ProxyProcess.StartAsync(bootstrap);
        await plane.RequestAsync(".Listener", r => (string?)r["response_nonce"] is { Length: > 0 }, "the listener is answered");
        plane.Refusals.ShouldBeEmpty();

        using Conversation client = await ConnectAsync(proxy, port);
        client.Ask("SET", "session:1", "s").ShouldBe("+OK\r\n");
        client.Ask("SET", "other", "o").ShouldBe("+OK\r\n");
        client.Ask("FLUSHALL").ShouldBe("-ERR emptying the cache is not allowed here\r\n");
        using var direct = new Conversation(sessions.Port);
        direct.Ask("GET", "1").ShouldBe("$1\r\ns\r\n");
        using var directCache = new Conversation(cache.Port);
        directCache.Ask("GET", "other").ShouldBe("$1\r\no\r\n");
    }

    private static async Task<Conversation> ConnectAsync(ProxyProcess proxy, int port)
    {
        Conversation? client = null;
        await Patience.UntilAsync(
            () =>
            {
                try
                {
                    client = new Conversation(port);
                    return Task.FromResult(true);
                }
                catch (System.Net.Sockets.SocketException)
                {
                    return Task.FromResult(false);
                }
            },
            $"port {port} is open", () => proxy.Said);
        return client!;
    }

    /// <summary>The rules of the deployed bootstrap, in flow style.</summary>
    private static string CodecRules()
    {
        YamlNode extension = Deployed("bootstrap.yaml")["bootstrap_extensions"].ShouldBeOfType<YamlSequenceNode>().Single(one => one["name"].ToString() == "meshl4.codecs");
        return string.Join(", ", ((YamlSequenceNode)extension["typed_config"]["rules"]).Select(static rule => Json(rule, false).ToJsonString()));
    }

    /// <summary>The filter that istiod would put in place of tcp_proxy, as grpc-js writes it: a Struct has its fields spelled out.</summary>
    private static JsonObject EnvoyFilter(bool camelCase)
    {
        YamlNode value = Deployed("envoyfilter-redis.yaml")["spec"]["configPatches"][0]["patch"]["value"];
        YamlNode typed = value["typed_config"];
        return new JsonObject
        {
            ["name"] = value["name"].ToString(),
            ["typed_config"] = new JsonObject
            {
                ["@type"] = typed["@type"].ToString(), ["type_url"] = typed["type_url"].ToString(), ["value"] = TypedStructs.Struct(Json(typed["value"], camelCase).AsObject()),
            },
        };
    }

    private static YamlNode Deployed(string file)
    {
        var stream = new YamlStream();
        using StreamReader reader = new(Path.Combine(MeshL4.TestKit.Executables.Root, "deploy", file));
        stream.Load(reader);
        return stream.Documents[0].RootNode;
    }

    private static JsonNode Json(YamlNode node, bool camelCase) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Select(pair => KeyValuePair.Create<string, JsonNode?>(Name(pair.Key.ToString(), camelCase), Json(pair.Value, camelCase)))),
        YamlSequenceNode list => new JsonArray([.. list.Select(one => Json(one, camelCase))]),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain } scalar when double.TryParse(scalar.Value, out double number) => JsonValue.Create(number),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain } scalar when bool.TryParse(scalar.Value, out bool flag) => JsonValue.Create(flag),
        _ => JsonValue.Create(node.ToString()),
    };

    private static string Name(string field, bool camelCase)
    {
        string[] words = field.Split('_');
        return camelCase ? words[0] + string.Concat(words.Skip(1).Select(static word => char.ToUpperInvariant(word[0]) + word[1..])) : field;
    }
}

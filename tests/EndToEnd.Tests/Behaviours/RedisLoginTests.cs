using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Credentials of a cluster (<c>RedisProtocolOptions</c>) at real servers that ask for them. Clients know none of them.</summary>
public sealed class RedisLoginTests : IDisposable
{
    private const string Password = "s3cret-of-alice";
    private readonly Peer _redis = Peer.Redis(
        "--requirepass", "s3cret-of-default", "--user", "alice", "on", ">" + Password, "~*", "&*", "+@all", "--user", "bob", "on", ">s3cret-of-bob", "~*", "&*", "+@all");

    private readonly TempFolder _folder = new();

    [Fact]
    public void Connections_SharedAndOwn_AreLoggedInAsTheClusterSays()
    {
        using Sidecar proxy = Start(Alice(), out int port);
        using Call client = Call.To(port);
        WhoIs(client).ShouldBe("alice");
        client.Send(RedisFront.Command("MULTI") + RedisFront.Command("ACL", "WHOAMI") + RedisFront.Command("EXEC"));
        foreach (string line in (string[])["+OK", "+QUEUED", "*1", "$5", "alice"])
        {
            client.ReadLine().ShouldBe(line);
        }

        client.Ask("SELECT 3").ShouldBe("+OK");
        WhoIs(client).ShouldBe("alice");
        client.Ask("RESET").ShouldBe("+RESET");
        WhoIs(client).ShouldBe("alice");
        client.Ask("AUTH bob s3cret-of-bob").ShouldBe("+OK");
        WhoIs(client).ShouldBe("bob");
        using Call other = Call.To(port);
        WhoIs(other).ShouldBe("alice");
    }

    [Fact]
    public void Credentials_OfTheCluster_GoBeforeThoseOfTheFilter()
    {
        using Sidecar proxy = Start(
            Alice(), out int port, "{name: a, match: {key_prefix: 'a:'}, forward: {cluster: main}}, {name: b, forward: {cluster: plain}}",
            ", upstream: {credentials: {username: {inline_string: bob}, password: {inline_string: s3cret-of-bob}}}");
        using Call client = Call.To(port);
        client.Ask("SET a:1 x").ShouldBe("+OK");
        WhoIs(client).ShouldBe("bob");
        using Call direct = Call.To(_redis.Port);
        direct.Ask("AUTH s3cret-of-default").ShouldBe("+OK");
        direct.Send(RedisFront.Command("CLIENT", "LIST"));
        direct.ReadLine()!.ShouldStartWith("$");
        string[] users = [.. Enumerable.Range(0, 3).Select(_ => direct.ReadLine()!.Split("user=")[1].Split(' ')[0])];
        users.Order().ShouldBe(["alice", "bob", "default"]);
    }

    [Fact]
    public void PasswordOfAFile_IsPresented_AndShownNowhere()
    {
        using Sidecar proxy = Start(Options($"auth_username: {{inline_string: alice}}, auth_password: {{filename: '{_folder.Write("password", Password)}'}}"), out int port);
        using Call client = Call.To(port);
        WhoIs(client).ShouldBe("alice");
        (proxy.Get("/config_dump") + proxy.Log).ShouldNotContain(Password);
    }

    [Fact]
    public void WrongPassword_IsSaidToBeTheProxysOwn_AndShownNowhere()
    {
        const string Wrong = "n0t-the-one";
        using Sidecar proxy = Start(
            Options($"auth_password: {{inline_string: {Wrong}}}"), out int port,
            more: $", authentication: {{passwords: [{{inline_string: {Wrong}-either}}]}}, upstream: {{credentials: {{password: {{inline_string: {Wrong}-too}}}}}}");
        using Call client = Call.To(port);
        client.Ask($"AUTH {Wrong}-either").ShouldBe("+OK");
        const string Error = "the proxy's own login at cluster main failed: WRONGPASS invalid username-password pair or user is disabled.";
        for (int i = 0; i < 20; i++)
        {
            client.Ask("GET k").ShouldBe("-ERR MeshL4: " + Error);
            client.Ask("SUBSCRIBE k").ShouldBe("-ERR MeshL4: " + Error);
        }

        client.Dispose();
        proxy.Logged("listener=l").ShouldContain("flags=UF details=upstream_preamble_refused");
        proxy.Tells(_redis.Address + " failed: WRONGPASS");
        proxy.Log.Split("own login at").Length.ShouldBeInRange(2, 4, "a line of each loop");
        string dump = proxy.Get("/config_dump");
        dump.ShouldContain("RedisProtocolOptions");
        (dump + proxy.Log + proxy.Logged("listener=l")).ShouldNotContain(Wrong);
    }

    [Fact]
    public void NewCredentials_OverCds_TakeTheNextRequestOfOpenClients()
    {
        int port = Ports.Free();
        string At(string options) => Boot.Resources("1", Boot.Cluster("main", [_redis.Address], options));
        string file = _folder.Write("clusters.yaml", At(Alice()));
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Filter("{name: all, forward: {cluster: main}}"))).Files(clusters: file));
        using Call client = Call.To(port);
        WhoIs(client).ShouldBe("alice");
        _folder.Write("clusters.yaml", At(Options("auth_username: {inline_string: bob}, auth_password: {inline_string: s3cret-of-bob}")));
        Wait.Until(() => WhoIs(client) == "bob", "the client stays logged in as before");
    }

    /// <summary>Bytes of the client's own login, and of the one it has by default, which the cluster's stands for, are equal here.</summary>
    [Fact]
    public void OwnLogin_EqualToTheFiltersDefault_IsTheClientsAlone()
    {
        using Sidecar proxy = Start(Alice(), out int port, more: ", upstream: {credentials: {username: {inline_string: bob}, password: {inline_string: s3cret-of-bob}}}");
        using Call client = Call.To(port);
        using Call other = Call.To(port);
        WhoIs(client).ShouldBe("alice");
        client.Ask("AUTH bob s3cret-of-bob").ShouldBe("+OK");
        WhoIs(client).ShouldBe("bob");
        WhoIs(other).ShouldBe("alice");
        client.Ask("RESET").ShouldBe("+RESET");
        WhoIs(client).ShouldBe("alice");
    }

    /// <summary>The connection that is shared by who logged in so before stays logged in.</summary>
    [Theory]
    [InlineData(2, "resetpass >another")]
    [InlineData(3, "resetpass >another")]
    [InlineData(3, "off")]
    public void Hello_WithALoginThatIsRightNoMore_IsRefused(int version, string rule)
    {
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.XRpc("{forward: {cluster: main}}", ""))).With(Boot.Cluster("main", [_redis.Address])), concurrency: 1);
        using Call admin = Call.To(_redis.Port);
        admin.Ask("AUTH s3cret-of-default").ShouldBe("+OK");
        string hello = $"HELLO {version} AUTH bob s3cret-of-bob";
        using (Call before = Call.To(port))
        {
            before.Ask(hello).ShouldBe(version == 3 ? "%7" : "*14");
        }

        admin.Ask("ACL SETUSER bob " + rule).ShouldBe("+OK");
        using Call client = Call.To(port);
        client.Ask(hello)!.ShouldStartWith("-WRONGPASS");
        client.Ask("GET k")!.ShouldStartWith("-NOAUTH");
    }

    [Fact]
    public void NewCredentials_OfServersThatShareTheKeys_TakeTheNextSplitRequest()
    {
        string[] users = ["--user", "alice", "on", ">" + Password, "~*", "&*", "+@all", "-del", "--user", "bob", "on", ">s3cret-of-bob", "~*", "&*", "+@all"];
        using var one = Peer.Redis(users);
        using var two = Peer.Redis(users);
        int port = Ports.Free();
        string At(string options) => Boot.Resources("1", Boot.Cluster("main", [one.Address, two.Address], ", lb_policy: RING_HASH" + options));
        string file = _folder.Write("clusters.yaml", At(Alice()));
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Filter("{name: all, forward: {cluster: main}}"))).Files(clusters: file));
        using Call client = Call.To(port);
        string delete = RedisFront.Command(["DEL", .. Enumerable.Range(0, 40).Select(static i => $"k{i}")]);
        string Delete()
        {
            client.Send(delete);
            return client.ReadLine()!;
        }

        Delete().ShouldStartWith("-NOPERM");
        _folder.Write("clusters.yaml", At(Options("auth_username: {inline_string: bob}, auth_password: {inline_string: s3cret-of-bob}")));
        Wait.Until(() => Delete() == ":0", "the client stays logged in as before");
    }

    [Fact]
    public void NewLimits_OfServersThatShareTheKeys_HoldForTheNextSplitRequest()
    {
        using var one = Peer.Redis();
        using var two = Peer.Redis();
        int port = Ports.Free();
        string At(int most) => Boot.Resources(
            "1", Boot.Cluster("main", [one.Address, two.Address], $", lb_policy: RING_HASH, circuit_breakers: {{thresholds: [{{max_requests: {most}}}]}}"));
        string file = _folder.Write("clusters.yaml", At(100));
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Filter("{name: all, forward: {cluster: main}}"))).Files(clusters: file));
        using Call client = Call.To(port);
        string delete = RedisFront.Command(["DEL", .. Enumerable.Range(0, 40).Select(static i => $"k{i}")]);
        foreach ((int most, string answer) in new[] { (100, ":0"), (1, "-ERR MeshL4: too many requests in flight"), (100, ":0") })
        {
            _folder.Write("clusters.yaml", At(most));
            string? last = null;
            Wait.Until(
                () =>
                {
                    client.Send(delete);
                    return (last = client.ReadLine()) == answer;
                },
                () => $"{most}: {last}");
        }
    }

    public void Dispose()
    {
        _redis.Dispose();
        _folder.Dispose();
    }

    private static string WhoIs(Call client)
    {
        client.Send(RedisFront.Command("ACL", "WHOAMI"));
        client.ReadLine()!.ShouldStartWith("$");
        return client.ReadLine()!;
    }

    private static string Alice() => Options($"auth_username: {{inline_string: alice}}, auth_password: {{inline_string: {Password}}}");

    private static string Options(string members) =>
        $", typed_extension_protocol_options: {{envoy.filters.network.redis_proxy: {{'@type': type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions, {members}}}}}";

    private static string Filter(string routes, string more = "") =>
        "{name: x, typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: x, codec: redis, "
        + $"route_config: {{name: r, routes: [{routes}]}}{more}}}}}";

    private Sidecar Start(string options, out int port, string routes = "{name: all, forward: {cluster: main}}", string more = "")
    {
        port = Ports.Free();
        return Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(Filter(routes, more)))
            .With(Boot.Cluster("main", [_redis.Address], options), Boot.Cluster("plain", [_redis.Address])));
    }
}

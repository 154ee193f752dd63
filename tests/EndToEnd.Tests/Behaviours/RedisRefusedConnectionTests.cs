using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>A connection that a client was to have and did not get: it hears an error, and stays as long as nothing of its own is at stake.</summary>
public sealed class RedisRefusedConnectionTests
{
    [Theory]
    [InlineData("SUBSCRIBE a")]
    [InlineData("PSUBSCRIBE a*")]
    [InlineData("SSUBSCRIBE a")]
    [InlineData("WATCH a")]
    [InlineData("MONITOR")]
    public void WithoutAServer_IsAnError_AndTheClientStays(string command)
    {
        int port = Ports.Free();
        using Sidecar proxy = Start(port, [$"127.0.0.1:{Ports.Free()}"]);
        using Call client = Call.To(port);
        client.Ask(command).ShouldBe("-ERR MeshL4: no connection to the upstream");
        client.Ask(command).ShouldBe("-ERR MeshL4: no connection to the upstream");
        client.Ask("PING").ShouldBe("+PONG");
        client.Ask("GET a").ShouldBe("-ERR MeshL4: no connection to the upstream");
    }

    [Theory]
    [InlineData("SUBSCRIBE a", "*3")]
    [InlineData("WATCH a", "+OK")]
    public void WithARefusedLogin_IsTheServersError_AndTheClientStays(string command, string answer)
    {
        using Peer redis = Peer.Redis("--requirepass", "right");
        int port = Ports.Free();
        using Sidecar proxy = Start(port, [redis.Address], ", upstream: {credentials: {password: {inline_string: other}}}");
        using Call server = Call.To(redis.Port);
        server.Ask("AUTH right").ShouldBe("+OK");
        using Call client = Call.To(port);
        client.Ask(command)!.ShouldContain("WRONGPASS");
        client.Ask("GET a")!.ShouldContain("WRONGPASS");
        client.Ask("PING").ShouldBe("+PONG");
        server.Ask("CONFIG SET requirepass other").ShouldBe("+OK");
        client.Ask(command).ShouldBe(answer);
    }

    /// <summary>Logging in anew would not help: AUTH is asked where the client is known.</summary>
    [Theory]
    [InlineData("GET b:1")]
    [InlineData("BLPOP b:1 1")]
    public void OneClusterThatDoesNotKnowTheClient_IsAnErrorThere_AndTheClientStays(string command)
    {
        using Peer redis = Peer.Redis("--user", "bob", "on", ">x", "~*", "&*", "+@all");
        using Peer other = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("l", port, Boot.Chain(Boot.XRpc("{name: b, match: {key_prefix: 'b:'}, forward: {cluster: other}}, {forward: {cluster: c}}")))
            .With(Boot.Cluster("c", [redis.Address]), Boot.Cluster("other", [other.Address])));
        using Call client = Call.To(port);
        client.Ask("AUTH bob x").ShouldBe("+OK");
        for (int i = 0; i < 2; i++)
        {
            client.Ask(command)!.ShouldStartWith("-WRONGPASS");
            client.Ask("ACL WHOAMI").ShouldBe("$3");
            client.ReadLine().ShouldBe("bob");
        }
    }

    [Theory]
    [InlineData("GET a")]
    [InlineData("SUBSCRIBE a")]
    [InlineData("WATCH a")]
    [InlineData("BLPOP a 1")]
    [InlineData("MULTI|SET a 1")]
    public void RotatedPassword_IsTheEndOfWhoLoggedInWithTheOldOne(string commands)
    {
        using Peer redis = Peer.Redis("--user", "bob", "on", ">old", "~*", "&*", "+@all");
        int port = Ports.Free();
        using Sidecar proxy = Start(port, [redis.Address]);
        using Call server = Call.To(redis.Port);
        using Call client = Call.To(port);
        client.Ask("AUTH bob old").ShouldBe("+OK");
        server.Ask("ACL SETUSER bob resetpass >new").ShouldBe("+OK");
        server.Ask("CLIENT KILL USER bob")!.ShouldStartWith(":");

        // A login that is refused leaves the client as it was, whoever it was.
        client.Ask("AUTH bob wrong")!.ShouldStartWith("-WRONGPASS");
        string[] all = commands.Split('|');
        foreach (string before in all[..^1])
        {
            client.Ask(before).ShouldBe("+OK");
        }

        client.Ask(all[^1])!.ShouldStartWith("-WRONGPASS");
        client.Ends().ShouldBeTrue();
        using Call again = Call.To(port);
        again.Ask("AUTH bob new").ShouldBe("+OK");
        again.Ask("GET a").ShouldBe("$-1");
        proxy.Logged("flags=UF").ShouldContain($"remote={client.Local}");
    }

    private static Sidecar Start(int port, string[] servers, string more = "") =>
        Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Boot.XRpc("{forward: {cluster: main}}", more))).With(Boot.Cluster("main", servers)), concurrency: 1);
}

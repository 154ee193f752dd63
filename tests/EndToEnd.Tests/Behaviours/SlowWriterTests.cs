using MeshL4.EndToEnd.Tests.BadInput;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Requests that are passed on while they come, and come slowly: whose time goes by when.</summary>
public sealed class SlowWriterTests
{
    private const int Pieces = 12;

    /// <summary>The server's time begins when it has the whole request.</summary>
    [Fact]
    public void RequestThatComesForLongerThanTheTimeOut_IsAnswered()
    {
        using var front = RedisFront.Common(", policies: {timeout: 3s}");
        using Call client = Call.To(front.Port);
        string request = RedisFront.Command("SET", "long", new string('x', 300_000));
        int piece = (request.Length / Pieces) + 1;
        for (int at = 0; at < request.Length; at += piece)
        {
            client.Send(request.Substring(at, Math.Min(piece, request.Length - at)));
            Thread.Sleep(400);
        }

        client.ReadLine().ShouldBe("+OK");
        client.Ask("STRLEN long").ShouldBe(":300000");
    }

    /// <summary>A client that stops in the middle keeps no server's connection.</summary>
    [Fact]
    public void RequestWhoseRestDoesNotCome_IsGivenUp()
    {
        using var front = RedisFront.Common(", policies: {timeout: 2s}, limits: {slow_reader_timeout: 1s}");
        using Call client = Call.To(front.Port);
        string request = RedisFront.Command("SET", "half", new string('x', 300_000));
        client.Send(request[..200_000]);
        client.ReadLine().ShouldStartWith("-");
        Wait.Until(() => front.Proxy.Stat("cluster.tested.upstream_cx_active") == 0, "its connection to the server stays");

        // It may go on: the rest goes nowhere.
        client.Send(request[200_000..]);
        client.Ask("EXISTS half").ShouldBe(":0");
    }

    /// <summary>Without a time-out the connection's own holds.</summary>
    [Fact]
    public void RequestWhoseRestDoesNotCome_EndsWithTheIdleTimeOut()
    {
        using var front = RedisFront.Common(", policies: {timeout: 0s}, idle_timeout: 3s");
        using Call client = Call.To(front.Port);
        client.Send(RedisFront.Command("SET", "half", new string('x', 300_000))[..200_000]);
        client.Ends().ShouldBeTrue();
        front.Proxy.LoggedLines(1, "details=idle_timeout").Count.ShouldBe(1);
    }

    /// <summary>Where it is the server that does not take the rest, its time goes by.</summary>
    [Fact]
    public async Task RequestThatTheServerDoesNotTake_IsGivenUp()
    {
        using var redis = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: c}"))).With(Boot.Cluster("c", [redis.Address])));
        using Call client = Call.To(port);
        redis.Signal("STOP");
        string request = RedisFront.Command("SET", "huge", new string('x', 64 * 1024 * 1024));
        var sending = Task.Factory.StartNew(() => client.Send(request), TaskCreationOptions.LongRunning);
        client.ReadLine().ShouldStartWith("-");
        await sending;
        redis.Signal("CONT");
        client.Ask("PING").ShouldBe("+PONG");
    }

    /// <summary>A client that was never answered yet has room for few requests: the errors of those show what room the others need.</summary>
    [Fact]
    public void RequestsBehindOthersThatFailed_DoNotWaitInSmallGroups()
    {
        using var redis = Peer.Redis();
        int port = Ports.Free();
        const string Filter = "{name: x, typed_config: {'@type': type.googleapis.com/meshl4.xrpc.v1.XRpcProxy, stat_prefix: x, codec: redis, "
            + "route_config: {name: r, routes: [{forward: {cluster: c}}]}, policies: {timeout: 1s}}}";
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("l", port, Boot.Chain(Filter)).With(Boot.Cluster("c", [redis.Address])), concurrency: 1);
        using Call client = Call.To(port);
        redis.Signal("STOP");
        client.Send(string.Concat(Enumerable.Repeat(RedisFront.Command("INCR", "n"), 100)));
        for (int i = 0; i < 100; i++)
        {
            client.ReadLine().ShouldStartWith("-");
        }

        // A connection on which everybody's time was over is closed: there is one for each group.
        proxy.Stat("cluster.c.upstream_cx_total").ShouldBeLessThan(4);
    }
}

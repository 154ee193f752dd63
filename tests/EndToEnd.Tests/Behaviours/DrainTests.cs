using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>SIGTERM: no new connections, the open ones finish, exit code 0.</summary>
public class DrainTests
{
    [Fact]
    public void Sigterm_OpenConnectionFinishes_NothingIsLostAndExitIsZero()
    {
        using Backend backend = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(Front(port, backend), drainSeconds: 60);
        using Call call = Call.To(port);
        call.Ask("before").ShouldBe("b before");
        proxy.Terminate();
        Wait.Until(() => proxy.Status("/ready") == 503, "still ready");
        proxy.Get("/ready").ShouldBe("DRAINING\n");
        Wait.Until(() => IsRefused(port), "new connections are still taken"); // the loops close their sockets a moment after it said so
        for (int i = 0; i < 20; i++)
        {
            call.Ask($"line {i}").ShouldBe($"b line {i}");
        }

        call.Socket.Shutdown(SocketShutdown.Send);
        call.Rest().ShouldBe("");
        proxy.ExitCode().ShouldBe(0);
        proxy.Logged("cluster=c", $"remote={call.Local} ").ShouldContain("flags=- ");
    }

    [Fact]
    public void Sigterm_DeadlinePasses_TheRestIsCutWithReason()
    {
        using Backend backend = new("b");
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(Front(port, backend), drainSeconds: 1);
        using Call call = Call.To(port);
        call.Ask("before").ShouldBe("b before");
        proxy.Terminate();
        call.Ends().ShouldBeTrue();
        proxy.ExitCode().ShouldBe(0);
        proxy.Logged("details=drain_deadline").ShouldContain("ended=proxy");
    }

    [Fact]
    public void Sigterm_IdleRedisClient_IsClosedAtOnceAndABusyOneIsAnswered()
    {
        using Peer redis = Peer.Redis();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(
            new Boot().Listen("l", port, Boot.Chain(Boot.Redis("catch_all_route: {cluster: c}"))).With(Boot.Cluster("c", [redis.Address])), drainSeconds: 3600);
        using Call idle = Call.To(port);
        idle.Ask("PING").ShouldBe("+PONG");
        using Call busy = Call.To(port);
        busy.Send("*3\r\n$5\r\nBLPOP\r\n$4\r\nlist\r\n$1\r\n0\r\n");
        Wait.Until(() => Run.Must("redis-cli", "-p", $"{redis.Port}", "INFO", "clients").Contains("blocked_clients:1", StringComparison.Ordinal), "not blocked");
        proxy.Terminate();
        idle.Rest().ShouldBe("");
        proxy.Logged("details=drain").ShouldContain("flags=- ");
        Run.Must("redis-cli", "-p", $"{redis.Port}", "RPUSH", "list", "value");
        busy.Rest().ShouldBe("*2\r\n$4\r\nlist\r\n$5\r\nvalue\r\n");
        proxy.ExitCode().ShouldBe(0);
    }

    private static bool IsRefused(int port)
    {
        try
        {
            Call.To(port).Dispose();
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
    }

    private static Boot Front(int port, Backend backend) =>
        new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c"))).With(Boot.Cluster("c", [backend.Address]));
}

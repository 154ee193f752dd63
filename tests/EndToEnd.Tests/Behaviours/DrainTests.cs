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
        Should.Throw<SocketException>(() => Call.To(port)).SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
        for (int i = 0; i < 20; i++)
        {
            call.Ask($"line {i}").ShouldBe($"b line {i}");
        }

        call.Socket.Shutdown(SocketShutdown.Send);
        call.Rest().ShouldBe("");
        proxy.ExitCode().ShouldBe(0);
        proxy.Logged("cluster=c").ShouldContain("flags=- ");
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

    private static Boot Front(int port, Backend backend) =>
        new Boot().Listen("l", port, Boot.Chain(Boot.Tcp("c"))).With(Boot.Cluster("c", [backend.Address]));
}

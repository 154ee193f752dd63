using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Answers whose codec does not tell before their end whose they are: held to a bound, and no longer.</summary>
public sealed class HeadlessCodecTests
{
    [Fact]
    public async Task Answer_BeyondWhatIsHeld_EndsItsServersConnection_WithAnErrorForEachCall()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "headless");
        PingPongConnection client = mesh.Connect();
        PingPongConnection other = mesh.Connect();
        await other.WriteAsync(Call(1, "never"));
        await Patience.UntilAsync(
            async () => await mesh.Proxy.StatAsync("headless.headless.downstream_rq_active") == 1, "the first call is in flight", () => mesh.Proxy.Said);

        PingPongMessage huge = await CallAsync(client, 2, "huge");

        (huge.Kind, huge.Id).ShouldBe((PingPongKind.Failure, 2u));
        (await Next(other)).ShouldBe(huge with { Id = 1 });
        (await CallAsync(client, 3, "echo", "after")).Payload.ShouldBe("after");
        (await CallAsync(other, 4, "long", "whole")).Payload.Length.ShouldBe(PingPongServer.BulkItem);
        mesh.Server.Accepted.ShouldBe(2);
    }
}

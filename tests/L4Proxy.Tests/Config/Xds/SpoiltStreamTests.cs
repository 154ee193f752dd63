using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A response that cannot be taken lengthens the waits and silences the log while it may still come, and not for ever.</summary>
public sealed class SpoiltStreamTests
{
    [Fact]
    public async Task StreamThatIsHealthyForAMinute_HasTheNextFailureBeginAnew()
    {
        var time = new ManualTime();
        await using ClientFixture fixture = Fixture(time, "plane");
        for (int i = 0; i < 4; i++)
        {
            await SpoilAsync(await fixture.Plane.OpenedAsync());
        }

        ScriptedPlane.Stream healthy = await fixture.Plane.OpenedAsync();
        await AnswerAsync(healthy);
        time.Advance(SpoiltStream.Health);
        healthy.Respond(Response("bad"));
        await fixture.Plane.OpenedAsync();
        fixture.Waits.Select(static wait => wait.TotalMilliseconds).ShouldBe([100, 200, 400, 800, 100]);
        fixture.Warnings.Count(static line => line.Contains("a defect", StringComparison.Ordinal)).ShouldBe(2, "one for each spell");
    }

    [Fact]
    public async Task StreamThatIsHealthyForLess_DoesNot()
    {
        var time = new ManualTime();
        await using ClientFixture fixture = Fixture(time, "plane");
        for (int i = 0; i < 3; i++)
        {
            ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
            await AnswerAsync(stream);
            time.Advance(SpoiltStream.Health * 0.9);
            stream.Respond(Response("bad"));
        }

        await fixture.Plane.OpenedAsync();
        fixture.Waits.Select(static wait => wait.TotalMilliseconds).ShouldBe([100, 200, 400]);
        fixture.Warnings.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task StreamThatWasAnswered_AndEndsOtherwise_HasEveryFailureToldAnew()
    {
        await using ClientFixture fixture = Fixture(new ManualTime(), "first", "second");
        for (int round = 1; round <= 3; round++)
        {
            ScriptedPlane.Stream first = await fixture.Plane.OpenedAsync();
            first.Server.ShouldBe("first");
            first.Fail("refuses");
            ScriptedPlane.Stream second = await fixture.Plane.OpenedAsync();
            if (round == 1)
            {
                await SpoilAsync(second);
            }
            else
            {
                await AnswerAsync(second);
                second.End();
            }
        }

        await fixture.Plane.OpenedAsync();
        fixture.Warnings.Count(static line => line.Contains("refuses", StringComparison.Ordinal)).ShouldBe(3);
    }

    private static ClientFixture Fixture(ManualTime time, params string[] servers) => new(new SotwVariant(), time: time, servers: servers)
    {
        Verdict = static update => update.Version == "bad" ? throw new InvalidOperationException("a defect") : new Received(null, []),
    };

    private static async Task SpoilAsync(ScriptedPlane.Stream stream)
    {
        await AnswerAsync(stream);
        stream.Respond(Response("bad"));
    }

    private static async Task AnswerAsync(ScriptedPlane.Stream stream)
    {
        await stream.RequestAsync<DiscoveryRequest>();
        stream.Respond(Response("good"));
        (await stream.RequestAsync<DiscoveryRequest>()).ResponseNonce.ShouldBe("n");
    }

    private static DiscoveryResponse Response(string version) => new() { TypeUrl = TypeUrls.Cluster, VersionInfo = version, Nonce = "n" };
}

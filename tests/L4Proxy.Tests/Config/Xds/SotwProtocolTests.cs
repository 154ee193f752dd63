using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>State of the world, message by message.</summary>
public sealed class SotwProtocolTests
{
    [Fact]
    public async Task Versions_AreThoseOfTheType_AndARefusalRepeatsTheGoodOne()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        DiscoveryRequest first = await stream.RequestAsync<DiscoveryRequest>();
        (first.VersionInfo, first.ResponseNonce, first.ResourceNames.Count, first.Node.Id).ShouldBe(("", "", 0, "n"));

        stream.Respond(Response(TypeUrls.Cluster, "v1", "a"));
        DiscoveryRequest answer = await stream.RequestAsync<DiscoveryRequest>();
        (answer.VersionInfo, answer.ResponseNonce, answer.ErrorDetail).ShouldBe(("v1", "a", null));

        fixture.Verdict = _ => new Received("Cluster/x: is wrong", []);
        stream.Respond(Response(TypeUrls.Cluster, "v2", "b"));
        DiscoveryRequest refusal = await stream.RequestAsync<DiscoveryRequest>();
        (refusal.VersionInfo, refusal.ResponseNonce, refusal.ErrorDetail.Message).ShouldBe(("v1", "b", "Cluster/x: is wrong"));

        stream.End();
        ScriptedPlane.Stream next = await fixture.Plane.OpenedAsync();
        DiscoveryRequest again = await next.RequestAsync<DiscoveryRequest>();
        (again.VersionInfo, again.ResponseNonce).ShouldBe(("v1", ""));
    }

    [Fact]
    public async Task EveryRequestForEndpoints_RepeatsAllNames()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DiscoveryRequest>();
        fixture.WantEndpoints("b", "a");
        (await stream.RequestAsync<DiscoveryRequest>()).ResourceNames.ShouldBe(["a", "b"]);
        stream.Respond(Response(TypeUrls.Endpoints, "7", "n7"));
        DiscoveryRequest answer = await stream.RequestAsync<DiscoveryRequest>();
        (answer.VersionInfo, answer.ResponseNonce).ShouldBe(("7", "n7"));
        answer.ResourceNames.ShouldBe(["a", "b"]);
        fixture.WantEndpoints("a", "b", "c");
        DiscoveryRequest more = await stream.RequestAsync<DiscoveryRequest>();
        (more.VersionInfo, more.ResponseNonce).ShouldBe(("7", "n7"));
        more.ResourceNames.ShouldBe(["a", "b", "c"]);
        fixture.WantEndpoints();
        (await stream.RequestAsync<DiscoveryRequest>()).ResourceNames.ShouldBeEmpty();
    }

    [Fact]
    public async Task SameNames_AreNotToldTwice()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DiscoveryRequest>();
        fixture.WantEndpoints("a");
        await stream.RequestAsync<DiscoveryRequest>();
        fixture.WantEndpoints("a");
        stream.Respond(Response(TypeUrls.Cluster, "1", "n"));
        (await stream.RequestAsync<DiscoveryRequest>()).TypeUrl.ShouldBe(TypeUrls.Cluster);
        stream.IsQuiet.ShouldBeTrue();
    }

    [Fact]
    public async Task NameLetGoAndWantedAgain_IsLeftOutOfARequest_AndNamedByTheNext()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DiscoveryRequest>();
        fixture.WantEndpoints("a", "b");
        await stream.RequestAsync<DiscoveryRequest>();
        fixture.LetGoAndWantEndpoints("a", "a", "b");
        (await stream.RequestAsync<DiscoveryRequest>()).ResourceNames.ShouldBe(["b"]);
        (await stream.RequestAsync<DiscoveryRequest>()).ResourceNames.ShouldBe(["a", "b"]);
    }

    [Fact]
    public async Task ResponseWithoutNonce_IsAppliedAndNotAnswered()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DiscoveryRequest>();
        stream.Respond(Response(TypeUrls.Cluster, "1", ""));
        stream.Respond(Response(TypeUrls.Cluster, "2", "n"));
        (await stream.RequestAsync<DiscoveryRequest>()).ResponseNonce.ShouldBe("n");
        fixture.Updates.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Node_StandsInTheFirstRequestAlone_WhenAskedFor()
    {
        await using var fixture = new ClientFixture(new SotwVariant(), nodeOnce: true);
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        (await stream.RequestAsync<DiscoveryRequest>()).Node.ShouldNotBeNull();
        stream.Respond(Response(TypeUrls.Cluster, "1", "n"));
        (await stream.RequestAsync<DiscoveryRequest>()).Node.ShouldBeNull();
        stream.End();
        ScriptedPlane.Stream next = await fixture.Plane.OpenedAsync();
        (await next.RequestAsync<DiscoveryRequest>()).Node.ShouldNotBeNull();
    }

    [Fact]
    public async Task Waits_DoubleUpToHalfAMinute_AndAResponseResetsThem()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        for (int i = 0; i < 10; i++)
        {
            (await fixture.Plane.OpenedAsync()).Fail("no");
        }

        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        fixture.Waits.Select(wait => wait.TotalMilliseconds).ShouldBe([100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
        await stream.RequestAsync<DiscoveryRequest>();
        stream.Respond(Response(TypeUrls.Cluster, "1", "n"));
        await stream.RequestAsync<DiscoveryRequest>();
        stream.End();
        await fixture.Plane.OpenedAsync();
        fixture.Waits.Last().TotalMilliseconds.ShouldBe(100);
    }

    [Fact]
    public async Task ServersThatDoNotAnswer_AreLeftForTheNext_AndThePreferredIsTriedFirstAgain()
    {
        await using var fixture = new ClientFixture(new SotwVariant(), servers: ["first", "second"]);
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        stream.Server.ShouldBe("first");
        stream.Fail("no");
        ScriptedPlane.Stream second = await fixture.Plane.OpenedAsync();
        second.Server.ShouldBe("second");
        await second.RequestAsync<DiscoveryRequest>();
        second.Respond(Response(TypeUrls.Cluster, "1", "n"));
        await second.RequestAsync<DiscoveryRequest>();
        second.End();
        (await fixture.Plane.OpenedAsync()).Server.ShouldBe("first");
    }

    [Fact]
    public async Task ServersThatAreSilent_AreLeftForTheNext_AndHaveMoreTimeInTheNextRound()
    {
        var time = new ManualTime();
        await using var fixture = new ClientFixture(new SotwVariant(), time: time, servers: ["first", "second"]);
        foreach ((string server, int seconds) in ((string, int)[])[("first", 10), ("second", 10), ("first", 20), ("second", 20), ("first", 40), ("second", 40)])
        {
            ScriptedPlane.Stream silent = await fixture.Plane.OpenedAsync();
            silent.Server.ShouldBe(server);
            await silent.RequestAsync<DiscoveryRequest>();
            time.Advance(TimeSpan.FromSeconds(seconds - 1));
            silent.IsDisposed.ShouldBeFalse("it has its time");
            time.Pending.ShouldBe(1);
            time.Advance(TimeSpan.FromSeconds(1));
        }

        ScriptedPlane.Stream speaks = await fixture.Plane.OpenedAsync();
        await speaks.RequestAsync<DiscoveryRequest>();
        speaks.Respond(Response(TypeUrls.Cluster, "1", "n"));
        await speaks.RequestAsync<DiscoveryRequest>();
        time.Pending.ShouldBe(0, "who has spoken may be silent");
        fixture.Warnings.ShouldContain(line => line.Contains("no answer within 10 s", StringComparison.Ordinal));
        speaks.End();
        ScriptedPlane.Stream again = await fixture.Plane.OpenedAsync();
        await again.RequestAsync<DiscoveryRequest>();
        time.Pending.ShouldBe(0, "it was heard");
        again.Fail("gone");
        ScriptedPlane.Stream unheard = await fixture.Plane.OpenedAsync();
        await unheard.RequestAsync<DiscoveryRequest>();
        time.Pending.ShouldBe(1);
        time.Advance(TimeSpan.FromSeconds(10));
        (await fixture.Plane.OpenedAsync()).Server.ShouldBe("first", "an answer has the rounds begin anew");
    }

    [Fact]
    public async Task StreamOnWhichNothingIsAskedFor_MayBeSilent()
    {
        var time = new ManualTime();
        await using var fixture = new ClientFixture(new SotwVariant(), time: time, servers: ["first", "second"]);
        fixture.Client.Find(TypeUrls.Cluster)!.Want(new HashSet<string>());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        stream.End();
        ScriptedPlane.Stream next = await fixture.Plane.OpenedAsync();
        time.Advance(TimeSpan.FromHours(1));
        fixture.WantEndpoints("a");
        (await next.RequestAsync<DiscoveryRequest>()).TypeUrl.ShouldBe(TypeUrls.Endpoints);
        time.Pending.ShouldBe(1);
    }

    [Fact]
    public async Task HeartbeatsAlone_AreNotTheWorld()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DiscoveryRequest>();
        DiscoveryResponse response = Response(TypeUrls.Cluster, "1", "n");
        response.Resources.Add(new Any
        {
            TypeUrl = "type.googleapis.com/envoy.service.discovery.v3.Resource",
            Value = new Resource { Name = "a", Ttl = new Duration { Seconds = 1 } }.ToByteString(),
        });
        stream.Respond(response);
        await stream.RequestAsync<DiscoveryRequest>();
        DiscoveryUpdate update = fixture.Updates.ShouldHaveSingleItem();
        update.Complete.ShouldBeFalse();
        update.Resources.ShouldBe([new DiscoveredResource("a", "", TimeSpan.FromSeconds(1), null)]);
    }

    [Fact]
    public async Task UpdateThatMakesOurCodeFail_IsAskedForAgainEverLater_CountedAndToldOnce()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        fixture.WantEndpoints("a");
        fixture.Verdict = update => update.TypeUrl == TypeUrls.Endpoints ? throw new InvalidOperationException("a defect") : new Received(null, []);
        for (int i = 0; i < 10; i++)
        {
            // What is good of a stream is answered and taken each time, which is no reason to begin with short waits again.
            ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
            await stream.RequestAsync<DiscoveryRequest>();
            await stream.RequestAsync<DiscoveryRequest>();
            stream.Respond(Response(TypeUrls.Cluster, "1", "n"));
            (await stream.RequestAsync<DiscoveryRequest>()).ResponseNonce.ShouldBe("n");
            stream.Respond(Response(TypeUrls.Endpoints, "1", "n"));
        }

        ScriptedPlane.Stream last = await fixture.Plane.OpenedAsync();
        fixture.Waits.Select(wait => wait.TotalMilliseconds).ShouldBe([100, 200, 400, 800, 1600, 3200, 6400, 12800, 15000, 15000]);
        fixture.Warnings.ShouldHaveSingleItem().ShouldContain("InvalidOperationException: a defect");
        Figures.Of(fixture.Client.Metrics).Values["control_plane.responses_not_taken"].ShouldBe(10);

        fixture.Verdict = static _ => new Received(null, []);
        last.Respond(Response(TypeUrls.Endpoints, "2", "n"));
        await last.RequestAsync<DiscoveryRequest>();
        last.End();
        await fixture.Plane.OpenedAsync();
        fixture.Waits.Last().TotalMilliseconds.ShouldBe(100, "a stream that ends otherwise begins anew");
    }

    [Fact]
    public async Task ResourceThatOutlivedItsTime_IsAskedForWithoutTheVersionItCameIn()
    {
        await using var fixture = new ClientFixture(new SotwVariant());
        ScriptedPlane.Stream stream = await fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DiscoveryRequest>();
        stream.Respond(Response(TypeUrls.Cluster, "1", "n"));
        await stream.RequestAsync<DiscoveryRequest>();
        fixture.Client.Find(TypeUrls.Cluster)!.Expired.Enqueue("a");
        stream.End();
        (await (await fixture.Plane.OpenedAsync()).RequestAsync<DiscoveryRequest>()).VersionInfo.ShouldBeEmpty();
    }

    private static DiscoveryResponse Response(string type, string version, string nonce) => new() { TypeUrl = type, VersionInfo = version, Nonce = nonce };
}

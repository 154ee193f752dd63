using Google.Protobuf.WellKnownTypes;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>Delta, message by message.</summary>
public sealed class DeltaProtocolTests : IAsyncLifetime
{
    private readonly ClientFixture _fixture = new(new DeltaVariant());

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _fixture.DisposeAsync().AsTask();

    [Fact]
    public async Task FirstRequest_IsAWildcardWithNodeAndNothingElse()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        DeltaDiscoveryRequest first = await stream.RequestAsync<DeltaDiscoveryRequest>();
        first.TypeUrl.ShouldBe(TypeUrls.Cluster);
        first.Node.Id.ShouldBe("n");
        first.ResourceNamesSubscribe.ShouldBeEmpty();
        first.InitialResourceVersions.ShouldBeEmpty();
        stream.IsQuiet.ShouldBeTrue("endpoints are asked for by name only: without names there is no request");
    }

    [Fact]
    public async Task Acknowledgement_HasTheNonceAlone_AndTheNewNamesFollowInARequestOfTheirOwn()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.Verdict = update =>
        {
            _fixture.WantEndpoints("a", "b");
            return new Received(null, [.. update.Resources.Select(one => one.Name)]);
        };
        stream.Respond(Clusters("1", "a", "b"));
        DeltaDiscoveryRequest answer = await stream.RequestAsync<DeltaDiscoveryRequest>();
        answer.ResponseNonce.ShouldBe("1");
        answer.ErrorDetail.ShouldBeNull();
        answer.ResourceNamesSubscribe.ShouldBeEmpty();
        DeltaDiscoveryRequest names = await stream.RequestAsync<DeltaDiscoveryRequest>();
        names.TypeUrl.ShouldBe(TypeUrls.Endpoints);
        names.ResponseNonce.ShouldBeEmpty();
        names.ResourceNamesSubscribe.ShouldBe(["a", "b"]);

        _fixture.WantEndpoints("b", "c");
        DeltaDiscoveryRequest change = await stream.RequestAsync<DeltaDiscoveryRequest>();
        change.ResourceNamesSubscribe.ShouldBe(["c"]);
        change.ResourceNamesUnsubscribe.ShouldBe(["a"]);
        change.ResponseNonce.ShouldBeEmpty();
    }

    [Fact]
    public async Task Reconnect_TellsTheVersionsHeld_AndNotThoseRefused()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.Respond(Clusters("1", "a", "b", "gone"));
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.Verdict = _ => new Received("Cluster/b: lb_policy: is wrong", ["a"]);
        DeltaDiscoveryResponse second = Clusters("2", "a", "b", "never");
        second.RemovedResources.Add("gone");
        stream.Respond(second);
        DeltaDiscoveryRequest refusal = await stream.RequestAsync<DeltaDiscoveryRequest>();
        refusal.ResponseNonce.ShouldBe("2");
        refusal.ErrorDetail.Code.ShouldBe(3);
        refusal.ErrorDetail.Message.ShouldBe("Cluster/b: lb_policy: is wrong");

        stream.Fail("gone away");
        ScriptedPlane.Stream next = await _fixture.Plane.OpenedAsync();
        DeltaDiscoveryRequest first = await next.RequestAsync<DeltaDiscoveryRequest>();
        first.ResponseNonce.ShouldBeEmpty();
        first.InitialResourceVersions.ShouldBe(new Dictionary<string, string> { ["a"] = "a2", ["b"] = "b1" }, ignoreOrder: true);
    }

    [Fact]
    public async Task NameLetGoAndWantedAgain_IsSubscribedToAnew_ThoughTheServerKnowsIt()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.WantEndpoints("a", "b");
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.LetGoAndWantEndpoints("a", "a", "b");
        DeltaDiscoveryRequest again = await stream.RequestAsync<DeltaDiscoveryRequest>();
        again.ResourceNamesSubscribe.ShouldBe(["a"]);
        again.ResourceNamesUnsubscribe.ShouldBeEmpty();
    }

    [Fact]
    public async Task NameLetGoWhileTheServerIsGone_IsNotToldAsHeld()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.WantEndpoints("a", "b");
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        DeltaDiscoveryResponse endpoints = Clusters("1", "a", "b");
        endpoints.TypeUrl = TypeUrls.Endpoints;
        stream.Respond(endpoints);
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        Subscription subscription = _fixture.Client.Find(TypeUrls.Endpoints)!;
        subscription.Want(new HashSet<string> { "b" });
        subscription.LetGo.Enqueue("a");
        subscription.Want(new HashSet<string> { "a", "b" });
        stream.Fail("gone away");
        ScriptedPlane.Stream next = await _fixture.Plane.OpenedAsync();
        await next.RequestAsync<DeltaDiscoveryRequest>();
        DeltaDiscoveryRequest first = await next.RequestAsync<DeltaDiscoveryRequest>();
        first.ResourceNamesSubscribe.ShouldBe(["a", "b"]);
        first.InitialResourceVersions.ShouldBe(new Dictionary<string, string> { ["b"] = "b1" });
    }

    [Fact]
    public async Task TypeNobodyAskedFor_IsLeftOut_AndTheStreamGoesOn()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.Respond(new DeltaDiscoveryResponse { TypeUrl = "type.googleapis.com/some.Thing", Nonce = "x" });
        stream.Respond(new DeltaDiscoveryResponse { TypeUrl = TypeUrls.Listener, Nonce = "y" });
        stream.Respond(Clusters("1", "a"));
        (await stream.RequestAsync<DeltaDiscoveryRequest>()).ResponseNonce.ShouldBe("1");
        _fixture.Updates.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Garbage_EndsTheStreamAndNothingElse()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.Respond([0xff, 0xff, 0xff, 0xff]);
        ScriptedPlane.Stream next = await _fixture.Plane.OpenedAsync();
        await next.RequestAsync<DeltaDiscoveryRequest>();
        next.Respond(Clusters("1", "a"));
        (await next.RequestAsync<DeltaDiscoveryRequest>()).ResponseNonce.ShouldBe("1");
    }

    [Fact]
    public async Task FirstResponse_IsTheWorld_LaterOnesAreNot()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.Respond(Clusters("1", "a"));
        stream.Respond(Clusters("2", "b"));
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.Updates.Select(update => update.Complete).ShouldBe([true, false]);
    }

    [Fact]
    public async Task TimeToLiveAndResourceErrors_AreRead()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        var response = new DeltaDiscoveryResponse { TypeUrl = TypeUrls.Cluster, Nonce = "1" };
        response.Resources.Add(new Resource { Name = "a", Ttl = new Duration { Seconds = 2, Nanos = 500_000_000 } });
        response.Resources.Add(new Resource { Name = "for ever", Ttl = new Duration { Seconds = 60L * 24 * 3600 } });
        response.ResourceErrors.Add(new ResourceError { ResourceName = new ResourceName { Name = "b" }, ErrorDetail = new() { Code = 5, Message = "no such" } });
        stream.Respond(response);
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        DiscoveryUpdate update = _fixture.Updates.ShouldHaveSingleItem();
        update.Resources[0].ShouldBe(new DiscoveredResource("a", "", TimeSpan.FromSeconds(2.5), null));
        update.Resources[1].TimeToLive.ShouldBeNull("no timer measures 60 days");
        update.Unavailable.ShouldBe([KeyValuePair.Create("b", "no such")]);
    }

    /// <summary>A resource without a body and a removal both say so; of what runs, the one is a heartbeat and the other no news.</summary>
    [Fact]
    public async Task ResourceThatDoesNotExist_IsUnavailable_UnlessItRuns()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.Respond(Clusters("1", "runs", "goes"));
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        var response = new DeltaDiscoveryResponse { TypeUrl = TypeUrls.Cluster, Nonce = "2", RemovedResources = { "goes", "never was" } };
        response.Resources.Add(new Resource { Name = "runs", Version = "runs1" });
        response.Resources.Add(new Resource { Name = "none" });
        response.Resources.Add(new Resource { Name = "refused", Version = "1", Ttl = new Duration { Seconds = 9 } });
        stream.Respond(response);
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        DiscoveryUpdate update = _fixture.Updates.Last();
        update.Unavailable.Select(static one => one.Key).ShouldBe(["none", "never was"]);
        update.Resources.Select(static one => (one.Name, one.IsHeartbeat)).ShouldBe([("runs", true), ("refused", true)]);
    }

    /// <summary>It would have the acknowledgements grow for ever.</summary>
    [Fact]
    public async Task ServerThatSendsAndNeverReads_IsLeft()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.IsUnread = true;
        for (int i = 0; i < DiscoveryClient.MostWaiting + 2; i++)
        {
            stream.Respond(Clusters("n" + i, "a"));
        }

        await _fixture.Plane.OpenedAsync();
        stream.IsDisposed.ShouldBeTrue();
        _fixture.Warnings.ShouldContain(static line => line.Contains("the server does not read: 256 requests wait for it", StringComparison.Ordinal));
        _fixture.Client.Metrics.IsConnected.ShouldBeFalse();
    }

    /// <summary>Responses go on coming for a moment: their acknowledgements, which nobody can write, are not why the stream ended.</summary>
    [Fact]
    public async Task StreamThatCannotBeWrittenTo_EndsWithThatReason()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.WriteFails = "the pipe broke";
        stream.Respond(Clusters("first", "a"));

        // Until the failure of the first is noted the others wait for it as they wait for a server that does not read.
        await Patience.UntilAsync(() => stream.IsBroken, "a request could not be written");
        await Task.Delay(TimeSpan.FromMilliseconds(200));
        for (int i = 0; i < 2 * DiscoveryClient.MostWaiting; i++)
        {
            stream.Respond(Clusters("n" + i, "a"));
        }

        await _fixture.Plane.OpenedAsync();
        _fixture.Warnings.ShouldContain(static line => line.Contains("the pipe broke", StringComparison.Ordinal));
        _fixture.Warnings.ShouldNotContain(static line => line.Contains("does not read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task MetricsTellAttemptsSuccessesAndRefusals()
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        DeltaDiscoveryResponse response = Clusters("1", "a");
        response.ControlPlane = new() { Identifier = "the plane" };
        stream.Respond(response);
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        _fixture.Verdict = _ => new Received("bad", []);
        stream.Respond(Clusters("2", "a"));
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        Figures figures = Figures.Of(_fixture.Client.Metrics);
        figures.Values["control_plane.connected_state"].ShouldBe(1);
        figures.Values["cluster_manager.cds.update_attempt"].ShouldBe(1);
        figures.Values["cluster_manager.cds.update_success"].ShouldBe(1);
        figures.Values["cluster_manager.cds.update_rejected"].ShouldBe(1);
        _fixture.Client.Metrics.Identifier.ShouldBe("the plane");
        stream.End();
        await _fixture.Plane.OpenedAsync();
        await Patience.UntilAsync(() => !_fixture.Client.Metrics.IsConnected, "it is not connected");
    }

    private static DeltaDiscoveryResponse Clusters(string nonce, params string[] names)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = TypeUrls.Cluster, Nonce = nonce };
        response.Resources.AddRange(names.Select(name => new Resource
        {
            Name = name, Version = name + nonce, Resource_ = new Any { TypeUrl = TypeUrls.Cluster },
        }));
        return response;
    }
}

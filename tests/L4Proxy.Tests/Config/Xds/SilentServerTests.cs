using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Service.Discovery.V3;
using MeshL4.L4Proxy.Config.Xds;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using Any = Google.Protobuf.WellKnownTypes.Any;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>A server that has nothing to say, since the proxy has all it knows, is silent by right.</summary>
public sealed class SilentServerTests : IAsyncLifetime
{
    private readonly ManualTime _time = new();
    private readonly ClientFixture _fixture;

    public SilentServerTests() => _fixture = new ClientFixture(new DeltaVariant(), time: _time, servers: ["first", "second"]);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _fixture.DisposeAsync();

    [Fact]
    public async Task ServerThatAnsweredBefore_IsNotLeft()
    {
        ScriptedPlane.Stream stream = await OpenedAsync("first");
        await AnswerAsync(stream, "a");
        stream.End();
        ScriptedPlane.Stream next = await OpenedAsync("first");
        _time.Pending.ShouldBe(0);
        next.IsDisposed.ShouldBeFalse();
    }

    /// <summary>Versions need not be held for that: the names that are wanted now may not exist yet.</summary>
    [Fact]
    public async Task ServerThatAnsweredBefore_AndIsAskedForWhatItDoesNotHave_IsNotLeft()
    {
        ScriptedPlane.Stream stream = await OpenedAsync("first");
        await AnswerAsync(stream);
        stream.End();
        await OpenedAsync("first");
        _time.Pending.ShouldBe(0);
    }

    /// <summary>Another may know more; when it does not answer, the silent one is kept.</summary>
    [Fact]
    public async Task ServerThatNeverAnswered_IsLeftOnce_WhileVersionsAreHeld()
    {
        (await OpenedAsync("first")).Fail("no");
        ScriptedPlane.Stream second = await OpenedAsync("second");
        await AnswerAsync(second, "a");
        second.End();
        await OpenedAsync("first");
        _time.Pending.ShouldBe(1);
        _time.Advance(TimeSpan.FromSeconds(10));
        (await OpenedAsync("second")).Fail("no");
        await OpenedAsync("first");
        _time.Pending.ShouldBe(0);
    }

    [Fact]
    public async Task ControlPlane_OfWhichNothingIsWanted_CountsAsHeard()
    {
        ScriptedPlane.Stream stream = await OpenedAsync("first");
        _fixture.Client.IsHeard(TypeUrls.Endpoints).ShouldBeTrue("no endpoints are asked for");
        _fixture.WantEndpoints("e");
        _fixture.Client.IsHeard(TypeUrls.Endpoints).ShouldBeFalse();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        await AnswerAsync(stream, "a");
        _fixture.Client.IsHeard(TypeUrls.Endpoints).ShouldBeTrue();
        _fixture.WantEndpoints();
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        stream.End();
        await OpenedAsync("first");
        _fixture.Client.IsHeard(TypeUrls.Endpoints).ShouldBeTrue("they are not asked for any more");
    }

    /// <summary>The next stream, when its first request has come.</summary>
    private async Task<ScriptedPlane.Stream> OpenedAsync(string server)
    {
        ScriptedPlane.Stream stream = await _fixture.Plane.OpenedAsync();
        stream.Server.ShouldBe(server);
        await stream.RequestAsync<DeltaDiscoveryRequest>();
        return stream;
    }

    private static async Task AnswerAsync(ScriptedPlane.Stream stream, params string[] names)
    {
        var response = new DeltaDiscoveryResponse { TypeUrl = TypeUrls.Cluster, Nonce = "n" };
        response.Resources.AddRange(names.Select(static name => new Resource { Name = name, Version = "1", Resource_ = new Any { TypeUrl = TypeUrls.Cluster } }));
        stream.Respond(response);
        (await stream.RequestAsync<DeltaDiscoveryRequest>()).ResponseNonce.ShouldBe("n");
    }
}

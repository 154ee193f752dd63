using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Routes and policies that look at a value behind the body: it is there for long frames too, or the frame goes nowhere.</summary>
public sealed class PingPongBodyTests
{
    private const int Long = 200_000;

    [Fact]
    public async Task Route_ByAValueBehindALongBody_TakesIt()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {metadata: [{name: tenant, value: {exact: acme}}]}, forward: {cluster: other}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "who", new string('x', Long), "acme")).Payload.ShouldBe("other who acme -");
        (await CallAsync(client, 2, "who", new string('x', Long), "globex")).Payload.ShouldBe("main who globex -");
    }

    [Fact]
    public async Task Deny_ByAValueBehindALongBody_Denies()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{forward: {cluster: main}}", ", policies: {authorization: {deny: [{metadata: [{name: tenant, value: {exact: acme}}]}]}}");
        PingPongConnection client = mesh.Connect();

        (await CallAsync(client, 1, "who", new string('x', Long), "acme")).Payload.ShouldBe("proxy: not allowed");
        (await CallAsync(client, 2, "who", new string('x', Long), "globex")).Payload.ShouldBe("main who globex -");
    }

    [Fact]
    public async Task Hash_ByAValueBehindALongBody_IsThatOfAShortOne()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: ring, hash_by: tenant}}");
        PingPongConnection client = mesh.Connect();
        for (int tenant = 0; tenant < 10; tenant++)
        {
            string near = (await CallAsync(client, 1, "who", tenant: $"t{tenant}")).Payload;
            (await CallAsync(client, 2, "who", new string('x', Long), $"t{tenant}")).Payload.ShouldBe(near);
        }
    }

    [Fact]
    public async Task FrameThatCannotBeHeld_IsRefusedByName()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(
            "{match: {metadata: [{name: tenant, value: {exact: acme}}]}, forward: {cluster: other}}, {forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();

        PingPongMessage refused = await CallAsync(client, 1, "who", new string('x', 2 * 1024 * 1024), "acme");
        (refused.Kind, refused.Id).ShouldBe((PingPongKind.Failure, 1u));
        await Patience.UntilAsync(
            () => mesh.Proxy.Records().Any(static record => record.Details == "pingpong_frame_too_large"), "a record that says so", () => string.Join('\n', mesh.Proxy.Records()));
    }

    [Fact]
    public async Task FrameThatNoRouteLooksInto_IsNotHeld()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: main}}");
        PingPongConnection client = mesh.Connect();
        (await CallAsync(client, 1, "who", new string('x', 3 * 1024 * 1024), "acme")).Payload.ShouldBe("main who acme -");
    }
}

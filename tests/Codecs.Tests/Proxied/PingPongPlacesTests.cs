using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Places in <c>max_requests</c>: whatever is sent has one, and none is kept by what was never sent.</summary>
public sealed class PingPongPlacesTests
{
    private const string Overflow = "proxy: too many calls in flight";

    [Fact]
    public async Task Calls_ThatGetNoConnection_KeepNoPlace()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: shut}}");
        PingPongConnection client = mesh.Connect();
        for (uint id = 1; id <= 10; id++)
        {
            PingPongMessage failed = await CallAsync(client, id, "echo");
            (failed.Kind, failed.Payload).ShouldBe((PingPongKind.Failure, "no connection to the upstream: max_connections of the cluster is reached"));
        }
    }

    [Fact]
    public async Task Hedge_WithoutAPlace_IsNotSent()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: single}}", ", policies: {hedge: {delay: 0.1s, budget_percent: {value: 100}}}");
        PingPongConnection client = mesh.Connect();
        mesh.Server.IsFrozen = mesh.Other.IsFrozen = true;

        await client.WriteAsync(Call(1, "echo", "one") with { IsIdempotent = true });
        long refused = 0, sent = 0;
        await Patience.UntilAsync(
            async () => (refused = await mesh.Proxy.StatAsync("cluster.single.upstream_rq_pending_overflow")) + (sent = await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_hedge")) > 0,
            "the call is to be hedged");
        (refused, sent).ShouldBe((1, 0));

        await Patience.UntilAsync(() => mesh.Server.Waiting + mesh.Other.Waiting > 0, "the call arrives");
        (mesh.Server.Waiting + mesh.Other.Waiting).ShouldBe(1);
        await mesh.Server.ThawAsync();
        await mesh.Other.ThawAsync();
        (await Next(client)).Payload.ShouldBe("one");
    }

    [Fact]
    public async Task Retry_HasAPlaceLikeEveryRequest()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: single}}", ", policies: {retry: {num_retries: 1}}");
        PingPongConnection client = mesh.Connect();
        PingPongConnection late = mesh.Connect();

        // Servers take turns: the call goes to the one that breaks its connection, and then to the frozen one.
        PingPongServer frozen = (await CallAsync(client, 1, "who")).Payload.StartsWith("main", StringComparison.Ordinal) ? mesh.Server : mesh.Other;
        frozen.IsFrozen = true;
        await client.WriteAsync(Call(2, "close") with { IsIdempotent = true });
        await Patience.UntilAsync(() => frozen.Waiting == 1, "the call is tried again", () => mesh.Proxy.Said);

        (await CallAsync(late, 1, "echo", "one too many")).Payload.ShouldBe(Overflow);

        (await mesh.Proxy.StatAsync("pingpong.pingpong.upstream_rq_retry")).ShouldBe(1);
    }

    /// <summary>Nobody waits for a copy's answer, which may never come: its place comes back all the same.</summary>
    [Fact]
    public async Task Mirrors_ThatAreNeverAnswered_GiveTheirPlacesBack()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: main}, policies: {mirrors: [{cluster: small}]}}");
        PingPongConnection client = mesh.Connect();
        mesh.Other.IsFrozen = true;
        uint next = 1;

        await Patience.UntilAsync(
            async () => (await CallAsync(client, next++, "echo", "mine")).Payload == "mine" && await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirrored") > 2,
            "more copies are sent than there are places");
    }

    [Fact]
    public async Task Mirrors_WithoutAPlace_AreNotSentAndCounted()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: main}, policies: {timeout: 60s, mirrors: [{cluster: small}]}}");
        PingPongConnection client = mesh.Connect();
        mesh.Other.IsFrozen = true;
        for (uint id = 1; id <= 5; id++)
        {
            (await CallAsync(client, id, "echo", "mine")).Payload.ShouldBe("mine");
        }

        await Patience.UntilAsync(() => mesh.Other.Waiting >= 2, "copies arrive", () => $"{mesh.Other.Waiting}");
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirrored")).ShouldBe(2);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirror_overflow")).ShouldBe(3);
        mesh.Other.Waiting.ShouldBe(2);

        // Their places come back with the answers that nobody gets.
        await mesh.Other.ThawAsync();
        uint next = 6;
        await Patience.UntilAsync(
            async () => (await CallAsync(client, next++, "echo", "mine")).Payload == "mine" && await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_mirrored") > 2,
            "copies are sent again");
    }
}

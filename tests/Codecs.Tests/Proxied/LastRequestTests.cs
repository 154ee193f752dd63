using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>
/// A client says its last and its server ends the connection, as servers do at a <c>quit</c>: nobody else's requests are on it, and nobody's will be. The servers here leave
/// that to the proxy, so that it shows whether the connection is lent again.
/// </summary>
public sealed class LastRequestTests
{
    private const int Long = 300_000;

    [Theory]
    [InlineData("beats", 0)]
    [InlineData("beats", Long)]
    [InlineData("beats_apart", 0)]
    [InlineData("beats_apart", Long)]
    public async Task LastRequest_HasAConnectionOfItsOwn_WhichIsClosedBehindItsAnswer(string codec, int body)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: codec);
        (LineEnd client, LineEnd other, LineEnd server) = await BesideAnotherAsync(mesh);
        await SendInPartsAsync(client, "L", body);

        LineEnd own = await mesh.AcceptAsync();
        (await own.ReadAsync())!.Length.ShouldBe(1 + body);
        await own.SendAsync(":=bye\n");

        (await client.ReadAsync()).ShouldBe(":=bye");
        (await client.ReadAsync()).ShouldBeNull();
        (await own.ReadAsync()).ShouldBeNull();
        (await mesh.Proxy.RecordOfAsync(client.Local)).Flags.ShouldBe("-");
        await GoesOnAsync(mesh, other, server);
    }

    [Theory]
    [InlineData("beats", 0)]
    [InlineData("beats", Long)]
    [InlineData("beats_apart", 0)]
    public async Task LastRequestWithoutAnAnswer_HasAConnectionOfItsOwn_WhichIsClosedBehindIt(string codec, int body)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: codec);
        (LineEnd client, LineEnd other, LineEnd server) = await BesideAnotherAsync(mesh);
        await SendInPartsAsync(client, "M", body);

        LineEnd own = await mesh.AcceptAsync();

        (await own.ReadAsync())!.Length.ShouldBe(1 + body);
        (await own.ReadAsync()).ShouldBeNull();
        (await client.ReadAsync()).ShouldBeNull();
        await GoesOnAsync(mesh, other, server);
    }

    /// <summary>The second try would be on a shared connection.</summary>
    [Fact]
    public async Task LastRequest_IsNotTriedAgain()
    {
        await using LineMesh mesh = await LineMesh.StartAsync("retry: {num_retries: 1, budget_percent: {value: 100}}", codec: "beats");
        (LineEnd client, LineEnd other, LineEnd server) = await BesideAnotherAsync(mesh);
        await client.SendAsync("L\n");
        LineEnd own = await mesh.AcceptAsync();
        (await own.ReadAsync()).ShouldBe("L");

        own.Dispose();

        (await client.ReadAsync()).ShouldBe(":-UpstreamClosed");
        await GoesOnAsync(mesh, other, server);
    }

    [Fact]
    public async Task LastRequestBehindOthers_WaitsForTheirAnswers()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\nL\nnever\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await server.SendAsync(":=to a1\n");
        LineEnd own = await mesh.AcceptAsync();
        (await own.ReadAsync()).ShouldBe("L");
        await own.SendAsync(":=bye\n");
        (await client.ReadAsync()).ShouldBe(":=to a1");
        (await client.ReadAsync()).ShouldBe(":=bye");
        (await client.ReadAsync()).ShouldBeNull();
        (await own.ReadAsync()).ShouldBeNull();
    }

    /// <summary>The client's call that is due is not waited for before: it could be a stream without an end.</summary>
    [Theory]
    [InlineData("!last")]
    [InlineData("!last, and long")]
    public async Task LastCallOfAMultiplexedClient_HasAConnectionOfItsOwn(string payload)
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "unplaced");
        PingPongConnection witness = mesh.Connect();
        PingPongConnection client = mesh.Connect();
        await witness.WriteAsync(Call(1, "reverse", "3"));
        await client.WriteAsync(Call(2, "reverse", "3"));
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("unplaced.unplaced.downstream_rq_active") == 2, "both are in flight", () => mesh.Proxy.Said);
        await Patience.UntilAsync(() => mesh.Server.Accepted == 1, "the server has their connection", () => $"{mesh.Server.Accepted}");
        payload = payload.Length > 5 ? payload + new string('x', Long) : payload;

        await client.WriteAsync(Call(3, "echo", payload));

        PingPongMessage bye = await Next(client);
        (bye.Kind, bye.Id, bye.Payload).ShouldBe((PingPongKind.Result, 3u, payload));
        mesh.Server.Accepted.ShouldBe(2);
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("cluster.main.upstream_cx_active") == 1, "its connection is closed", () => mesh.Proxy.Said);
        (await CallAsync(mesh.Connect(), 4, "reverse", "3")).Id.ShouldBe(4u);
        (await Next(client)).Id.ShouldBe(2u);
        (await Next(witness)).Id.ShouldBe(1u);
        await Should.ThrowAsync<IOException>(async () => await Next(client));
        mesh.Server.Accepted.ShouldBe(2);
    }

    /// <summary>A client, another that has a request in flight, and the connection that this is on.</summary>
    private static async Task<(LineEnd Client, LineEnd Other, LineEnd Server)> BesideAnotherAsync(LineMesh mesh)
    {
        LineEnd other = await mesh.ConnectAsync();
        LineEnd client = await mesh.ConnectAsync();
        await other.SendAsync("b1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("b1");
        return (client, other, server);
    }

    private static async Task SendInPartsAsync(LineEnd client, string request, int body)
    {
        await client.SendAsync(request + new string('x', body / 2));
        await client.SendAsync(new string('x', body - (body / 2)) + "\n");
    }

    /// <summary>The connection that others have is as it was.</summary>
    private static async Task GoesOnAsync(LineMesh mesh, LineEnd client, LineEnd server)
    {
        await server.SendAsync(":=to b1\n");
        (await client.ReadAsync()).ShouldBe(":=to b1");
        await client.SendAsync("b2\n");
        (await server.ReadAsync()).ShouldBe("b2");
        await server.SendAsync(":=to b2\n");
        (await client.ReadAsync()).ShouldBe(":=to b2");
        mesh.HasAnother.ShouldBeFalse();
    }
}

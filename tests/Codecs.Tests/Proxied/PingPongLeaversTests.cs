using System.Globalization;
using System.Net;
using System.Net.Sockets;
using MeshL4.Samples.PingPong;
using MeshL4.Samples.PingPong.Peers;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using static MeshL4.Codecs.Tests.Proxied.PingPongProxyTests;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Calls whose clients left before they were answered: they keep nothing from the others, and their late answers are nobody's.</summary>
public sealed class PingPongLeaversTests
{
    [Fact]
    public async Task CallsOfAClientThatLeft_HaveNoPlaceAnyMore()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: limited}}");
        PingPongConnection other = mesh.Connect();
        await LeaveAsync(mesh, "pingpong", Call(1, "never"), Call(2, "never"));

        (await CallAsync(other, 1, "echo", "mine")).Payload.ShouldBe("mine");
        (await mesh.Proxy.StatAsync("cluster.limited.upstream_rq_pending_overflow")).ShouldBe(0);
        (await mesh.Proxy.StatAsync("pingpong.pingpong.downstream_rq_active")).ShouldBe(0);
    }

    /// <summary>Of sixteen ids a connection uses none twice before its call was answered: it is left to those who wait, and another takes its place.</summary>
    [Fact]
    public async Task CallsThatAreNeverAnswered_TakeNoIdsFromTheOthers()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "narrow");
        PingPongConnection other = mesh.Connect();
        for (int i = 0; i < 40; i++)
        {
            await LeaveAsync(mesh, "narrow", Call(1, "never"), Call(2, "never"), Call(3, "never"));
            (await CallAsync(other, 1, "echo", $"{i}")).ShouldBe(new PingPongMessage(PingPongKind.Result, 1, "", $"{i}"));
        }

        // Two of those that left, or three, have filled a quarter of the ids: each connection has served so many.
        mesh.Server.Accepted.ShouldBeInRange(15, 41);
    }

    /// <summary>Somebody waits on each connection that others have used up, and no more may be opened: the one that can take nothing at all is given up.</summary>
    [Fact]
    public async Task ConnectionsUsedUp_WithACallOnEach_DoNotShutTheCluster()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "narrow");
        PingPongConnection waiting = mesh.Connect();
        PingPongConnection other = mesh.Connect();
        for (uint i = 1; i <= 30; i++)
        {
            await SendAsync(mesh, "narrow", waiting, Call(i, "never"));
            await LeaveAsync(mesh, "narrow", Call(1, "never"), Call(2, "never"), Call(3, "never"), Call(4, "never"));
            string text = i.ToString(CultureInfo.InvariantCulture);
            await Patience.UntilAsync(async () => (await CallAsync(other, 1, "echo", text)).Payload == text, $"call {i} is answered", () => mesh.Proxy.Said);
        }

        // Told, and not left to wait.
        (await Next(waiting)).Kind.ShouldBe(PingPongKind.Failure);
    }

    /// <summary>Nothing but the end of its connection stops such a stream: it is left to those who wait there, and then to nobody.</summary>
    [Fact]
    public async Task StreamThatGoesOnForAClientThatLeft_EndsWithItsConnection_BehindTheCallsThatWaitThere()
    {
        const int Items = 200;
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "narrow");
        PingPongConnection other = mesh.Connect();
        PingPongConnection leaving = mesh.Connect();
        await SendAsync(mesh, "narrow", other, Call(1, "reverse", "2"));
        await leaving.WriteAsync(new PingPongMessage(PingPongKind.Subscribe, 1, "bulkstuck", $"{Items}"));
        await BeginsAsync(leaving);
        leaving.Reset();

        await Patience.UntilAsync(
            async () => await mesh.Proxy.StatAsync("cluster.main.upstream_cx_rx_bytes_total") > (long)Items * PingPongServer.BulkItem, "all came", () => mesh.Proxy.Said);
        (await CallAsync(other, 2, "echo", "elsewhere")).Payload.ShouldBe("elsewhere");
        mesh.Server.Accepted.ShouldBe(2);
        await other.WriteAsync(Call(3, "reverse", "2"));
        new[] { (await Next(other)).Id, (await Next(other)).Id }.ShouldBe([1u, 3u], ignoreOrder: true);
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("cluster.main.upstream_cx_active") == 1, "the connection of the stream closes", () => mesh.Proxy.Said);
    }

    /// <summary>Ids come again after fifteen calls: not that of a call whose answer may still come.</summary>
    [Fact]
    public async Task AnswerForAClientThatLeft_IsNobodys()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "narrow");
        PingPongConnection other = mesh.Connect();
        PingPongConnection leaving = mesh.Connect();
        mesh.Server.IsFrozen = true;
        await leaving.WriteAsync(Call(1, "echo", "late"));
        await Patience.UntilAsync(() => mesh.Server.Waiting == 1, "the server has the call", () => mesh.Proxy.Said);
        leaving.Reset();
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the client is gone", () => mesh.Proxy.Said);

        for (uint i = 1; i < 15; i++)
        {
            await other.WriteAsync(Call(i, "echo", $"mine {i}"));
            await Patience.UntilAsync(() => mesh.Server.Waiting == 2, "the server has the call", () => mesh.Proxy.Said);
            await mesh.Server.AnswerNewestAsync();
            (await Next(other)).Payload.ShouldBe($"mine {i}");
        }

        // The next has all generations of a slot behind it, and the server answers the oldest first.
        await other.WriteAsync(Call(15, "echo", "mine 15"));
        await Patience.UntilAsync(() => mesh.Server.Waiting == 2, "the server has the call", () => mesh.Proxy.Said);
        await mesh.Server.ThawAsync();
        (await Next(other)).Payload.ShouldBe("mine 15");
        mesh.Server.Accepted.ShouldBe(1);
    }

    /// <summary>On a connection that many share it is for nobody, whatever its id is.</summary>
    [Fact]
    public async Task FrameThatAnswersNothing_IsDroppedAndCounted()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync(codec: "narrow");

        (await CallAsync(mesh.Connect(), 1, "aside", "mine")).ShouldBe(new PingPongMessage(PingPongKind.Result, 1, "", "mine"));
        (await mesh.Proxy.StatAsync("cluster.main.upstream_push_dropped")).ShouldBe(2);
    }

    /// <summary>A client that ends, as most do, closes its connection in order: that looks like one that has only said its last. Its kernel tells when it is asked.</summary>
    [Fact]
    public async Task CallsOfAClientThatClosedInOrder_HaveNoPlaceForLong()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: limited}}");
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, mesh.Port);

        // TCP_LINGER2: what is left of a closed connection goes after a second, and not after a minute.
        socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, 8, BitConverter.GetBytes(1));
        using var client = new PingPongConnection(socket);
        await SendAsync(mesh, "pingpong", client, Call(1, "never"), Call(2, "never"));
        client.Dispose();

        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the connection ends", () => mesh.Proxy.Said);
        mesh.Proxy.Records()[0].Details.ShouldBe("downstream_reset");
        (await CallAsync(mesh.Connect(), 1, "echo", "mine")).Payload.ShouldBe("mine");
    }

    /// <summary>It may be gone without a word more; nothing but time tells.</summary>
    [Fact]
    public async Task ClientThatSaidItsLast_AndIsNeverAnswered_EndsWithTheIdleTimeout()
    {
        await using PingPongMesh mesh = await PingPongMesh.StartAsync("{forward: {cluster: limited}}", ", idle_timeout: 3s");
        PingPongConnection client = mesh.Connect();
        await client.WriteAsync(Call(1, "never"), Call(2, "never"));
        client.EndWriting();

        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == 1, "the connection ends", () => mesh.Proxy.Said);
        mesh.Proxy.Records()[0].Details.ShouldBe("last_answers_timeout");
        (await CallAsync(mesh.Connect(), 1, "echo", "mine")).Payload.ShouldBe("mine");
    }

    /// <summary>The first item comes. Who reads no further is ended by the proxy itself when this machine stands still: it has left, too.</summary>
    private static async Task BeginsAsync(PingPongConnection leaving)
    {
        try
        {
            (await Next(leaving)).Kind.ShouldBe(PingPongKind.Item);
        }
        catch (IOException)
        {
            // Ended.
        }
    }

    /// <summary>A client makes calls, of which the proxy has all, and is gone.</summary>
    private static async Task LeaveAsync(PingPongMesh mesh, string codec, params PingPongMessage[] calls)
    {
        int records = mesh.Proxy.Records().Count;
        PingPongConnection client = mesh.Connect();
        await SendAsync(mesh, codec, client, calls);
        client.Reset();
        await Patience.UntilAsync(() => mesh.Proxy.Records().Count == records + 1, "the client is gone", () => mesh.Proxy.Said);
    }

    /// <summary>Sends calls, and waits until the proxy has taken them.</summary>
    private static async Task SendAsync(PingPongMesh mesh, string codec, PingPongConnection client, params PingPongMessage[] calls)
    {
        Task<long> TakenAsync() => mesh.Proxy.StatAsync($"{codec}.{codec}.downstream_rq_total");
        long before = await TakenAsync();
        await client.WriteAsync(calls);
        await Patience.UntilAsync(async () => await TakenAsync() == before + calls.Length, "the calls are taken", () => mesh.Proxy.Said);
    }
}

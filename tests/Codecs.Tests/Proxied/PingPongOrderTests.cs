using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>A protocol of <c>FrameOrder.PingPong</c>: a server connection has one request at a time, and is borrowed for it.</summary>
public sealed class PingPongOrderTests
{
    [Fact]
    public async Task Requests_SentAtOnce_GoOneByOne_AndAreAnsweredInOrder()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\na2\na3\n");
        LineEnd server = await mesh.AcceptAsync();
        foreach (string request in (string[])["a1", "a2", "a3"])
        {
            (await server.ReadAsync()).ShouldBe(request);

            // The loop, which is the only one, has ended the turn in which it sent that: it answers somebody else.
            LineEnd witness = await mesh.ConnectAsync();
            await witness.SendAsync("T\n");
            (await witness.ReadAsync()).ShouldBe("error Unsupported");
            server.HasMore.ShouldBeFalse();
            await server.SendAsync($"to {request}\n");
            (await client.ReadAsync()).ShouldBe($"to {request}");
        }

        mesh.HasAnother.ShouldBeFalse();
    }

    [Fact]
    public async Task Clients_AtTheSameTime_HaveConnectionsOfTheirOwn_WhichTheNextGet()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd one = await mesh.ConnectAsync();
        await one.SendAsync("a1\n");
        LineEnd first = await mesh.AcceptAsync();
        (await first.ReadAsync()).ShouldBe("a1");

        LineEnd two = await mesh.ConnectAsync();
        await two.SendAsync("b1\n");
        LineEnd second = await mesh.AcceptAsync();
        (await second.ReadAsync()).ShouldBe("b1");
        await second.SendAsync("to b1\n");
        (await two.ReadAsync()).ShouldBe("to b1");
        await first.SendAsync("to a1\n");
        (await one.ReadAsync()).ShouldBe("to a1");

        // Both are free again: a third client opens none.
        LineEnd three = await mesh.ConnectAsync();
        await three.SendAsync("c1\n");
        Task<string?> atFirst = first.ReadAsync();
        Task<string?> atSecond = second.ReadAsync();
        Task<string?> taken = await Task.WhenAny(atFirst, atSecond);
        (await taken).ShouldBe("c1");
        await (taken == atFirst ? first : second).SendAsync("to c1\n");
        (await three.ReadAsync()).ShouldBe("to c1");
        mesh.HasAnother.ShouldBeFalse();
    }

    [Fact]
    public async Task LongRequestAndLongAnswer_PassAsTheyCome()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd client = await mesh.ConnectAsync();
        string body = "a" + new string('x', 3_000_000);
        Task sending = client.SendAsync(body + "\nb1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe(body);
        await sending;
        Task answering = server.SendAsync(body + "\n");
        (await client.ReadAsync()).ShouldBe(body);
        await answering;
        (await server.ReadAsync()).ShouldBe("b1");
        await server.SendAsync("to b1\n");
        (await client.ReadAsync()).ShouldBe("to b1");
        mesh.HasAnother.ShouldBeFalse();
    }

    /// <summary>A request that gets no answer holds no connection back: the next client has it.</summary>
    [Fact]
    public async Task OneWayRequest_GivesItsConnectionBack()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd one = await mesh.ConnectAsync();
        await one.SendAsync("W1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("W1");

        LineEnd two = await mesh.ConnectAsync();
        await two.SendAsync("b1\n");
        Task<string?> here = server.ReadAsync();
        Task<LineEnd> elsewhere = mesh.AcceptAsync();
        (await Task.WhenAny(here, elsewhere)).ShouldBe(here, "a connection more was opened");
        (await here).ShouldBe("b1");
        await server.SendAsync("to b1\n");
        (await two.ReadAsync()).ShouldBe("to b1");
    }

    /// <summary>At the bound an idle connection makes room for another: not before the request without an answer that was just given to it is sent.</summary>
    [Fact]
    public async Task OneWayRequest_OnAConnectionThatMakesRoom_ArrivesAllTheSame()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(upstream: "max_pinned_connections: 1", servers: 2);
        LineEnd one = await mesh.ConnectAsync();
        LineEnd two = await mesh.ConnectAsync();
        await one.SendAsync("a1\n");
        Task<LineEnd> here = mesh.AcceptAsync();
        Task<LineEnd> there = mesh.AcceptAtOtherAsync();
        bool first = await Task.WhenAny(here, there) == here;
        LineEnd server = await (first ? here : there);
        (await server.ReadAsync()).ShouldBe("a1");
        await server.SendAsync("to a1\n");
        (await one.ReadAsync()).ShouldBe("to a1");
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("meshl4.downstream_connections") == 2, "both are served", () => mesh.Proxy.Said);

        // Both requests are there when the loop looks again: it takes them in one turn.
        mesh.Proxy.Signal("STOP");
        await one.SendAsync("W1\n");
        await two.SendAsync("b1\n");
        mesh.Proxy.Signal("CONT");

        (await server.ReadAsync()).ShouldBe("W1");
        (await server.ReadAsync()).ShouldBeNull();
        LineEnd other = await (first ? there : here);
        (await other.ReadAsync()).ShouldBe("b1");
        await other.SendAsync("to b1\n");
        (await two.ReadAsync()).ShouldBe("to b1");
    }

    [Fact]
    public async Task ServerThatLeaves_IsAnError_AndTheNextRequestHasAnotherConnection()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\na2\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        server.Dispose();
        (await client.ReadAsync()).ShouldBe("error UpstreamClosed");
        LineEnd next = await mesh.AcceptAsync();
        (await next.ReadAsync()).ShouldBe("a2");
        await next.SendAsync("to a2\n");
        (await client.ReadAsync()).ShouldBe("to a2");
    }

    /// <summary>What comes too late must not be taken for the answer to the next request.</summary>
    [Fact]
    public async Task AnswerThatIsTooLate_IsNobodys()
    {
        await using LineMesh mesh = await LineMesh.StartAsync("timeout: 3s");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        (await client.ReadAsync()).ShouldBe("error Timeout");
        await client.SendAsync("a2\n");
        LineEnd next = await mesh.AcceptAsync();
        (await next.ReadAsync()).ShouldBe("a2");
        await next.SendAsync("to a2\n");
        (await client.ReadAsync()).ShouldBe("to a2");
        (await server.ReadAsync()).ShouldBeNull();
    }

    /// <summary>Their answers are nobody's, and no less due: until one came its connection has no other copy.</summary>
    [Fact]
    public async Task MirroredCopies_GoOneByOneToo()
    {
        await using LineMesh mesh = await LineMesh.StartAsync("mirrors: [{cluster: other}]");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        await AnswerAsync(server, "a1");
        (await client.ReadAsync()).ShouldBe("to a1");
        LineEnd first = await mesh.AcceptAtOtherAsync();
        (await first.ReadAsync()).ShouldBe("a1");

        await client.SendAsync("a2\n");
        await AnswerAsync(server, "a2");
        (await client.ReadAsync()).ShouldBe("to a2");
        LineEnd second = await mesh.AcceptAtOtherAsync();
        (await second.ReadAsync()).ShouldBe("a2");
        first.HasMore.ShouldBeFalse();

        // An answered one is used again. The loop has read the answer when it has served another client.
        await first.SendAsync("to a1\n");
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("cluster.other.upstream_cx_rx_bytes_total") == 6, "the answer is read", () => mesh.Proxy.Said);
        await client.SendAsync("a3\n");
        (await first.ReadAsync()).ShouldBe("a3");
        second.HasMore.ShouldBeFalse();
    }

    [Fact]
    public async Task RequestsThatAreTriedAgain_GoOneByOneToo()
    {
        await using LineMesh mesh = await LineMesh.StartAsync("retry: {num_retries: 1, budget_percent: {value: 100}}");
        LineEnd one = await mesh.ConnectAsync();
        LineEnd two = await mesh.ConnectAsync();
        LineEnd first = await RetriedAsync(mesh, one, "I1");
        LineEnd second = await RetriedAsync(mesh, two, "I2");
        first.HasMore.ShouldBeFalse();

        await second.SendAsync("to I2\n");
        (await two.ReadAsync()).ShouldBe("to I2");
        await first.SendAsync("to I1\n");
        (await one.ReadAsync()).ShouldBe("to I1");

        // Both connections are free, and whole.
        await one.SendAsync("a3\n");
        Task<string?> here = first.ReadAsync();
        Task<string?> there = second.ReadAsync();
        Task<string?> taken = await Task.WhenAny(here, there);
        (await taken).ShouldBe("a3");
        await (taken == here ? first : second).SendAsync("to a3\n");
        (await one.ReadAsync()).ShouldBe("to a3");
        mesh.HasAnother.ShouldBeFalse();
    }

    [Fact]
    public async Task RequestThatIsTriedAgainInTime_HasTheAnswerOfItsSecondTry()
    {
        await using LineMesh mesh = await LineMesh.StartAsync("timeout: 60s, retry: {num_retries: 1, per_try_timeout: 3s, budget_percent: {value: 100}}");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("I1\n");
        LineEnd silent = await mesh.AcceptAsync();
        (await silent.ReadAsync()).ShouldBe("I1");
        LineEnd next = await mesh.AcceptAsync();
        (await next.ReadAsync()).ShouldBe("I1");
        (await silent.ReadAsync()).ShouldBeNull();
        await next.SendAsync("to I1\n");
        (await client.ReadAsync()).ShouldBe("to I1");
        await client.SendAsync("a2\n");
        await AnswerAsync(next, "a2");
        (await client.ReadAsync()).ShouldBe("to a2");
        mesh.HasAnother.ShouldBeFalse();
    }

    [Fact]
    public async Task ClientThatLeavesWithARequestInFlight_LeavesNoAnswerToTheNext()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd one = await mesh.ConnectAsync();
        await one.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        one.Reset();
        await Patience.UntilAsync(async () => await mesh.Proxy.StatAsync("meshl4.downstream_connections") == 0, "the client is gone", () => mesh.Proxy.Said);

        LineEnd two = await mesh.ConnectAsync();
        await two.SendAsync("b1\n");
        LineEnd next = await mesh.AcceptAsync();
        (await next.ReadAsync()).ShouldBe("b1");
        await next.SendAsync("to b1\n");
        (await two.ReadAsync()).ShouldBe("to b1");
    }

    private static async Task AnswerAsync(LineEnd server, string request)
    {
        (await server.ReadAsync()).ShouldBe(request);
        await server.SendAsync($"to {request}\n");
    }

    /// <summary>A request whose first connection breaks; the one that it is tried again on.</summary>
    private static async Task<LineEnd> RetriedAsync(LineMesh mesh, LineEnd client, string request)
    {
        await client.SendAsync($"{request}\n");
        LineEnd broken = await mesh.AcceptAsync();
        (await broken.ReadAsync()).ShouldBe(request);
        broken.Dispose();
        LineEnd next = await mesh.AcceptAsync();
        (await next.ReadAsync()).ShouldBe(request);
        return next;
    }
}

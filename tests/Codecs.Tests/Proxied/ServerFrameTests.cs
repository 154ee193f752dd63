using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>
/// What a server says besides its answers, where answers are told apart by their order alone: whole, cut behind every byte before its kind shows, and longer than any
/// buffer. Nobody gets it for an answer.
/// </summary>
public sealed class ServerFrameTests
{
    private const int Long = 300_000;

    public static TheoryData<string, char, string> Frames
    {
        get
        {
            var frames = new TheoryData<string, char, string>();
            foreach (string codec in (string[])["beats", "beats_apart"])
            {
                foreach (char kind in "!.~")
                {
                    frames.Add(codec, kind, "whole");
                    frames.Add(codec, kind, "cut");
                    frames.Add(codec, kind, "long");
                }
            }

            return frames;
        }
    }

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task FrameThatIsNoAnswer_IsNobodys(string codec, char kind, string form)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: codec);
        LineEnd client = await mesh.ConnectAsync();
        LineEnd? server = null;
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync($"a{i}\n");
            server ??= await mesh.AcceptAsync();
            (await server.ReadAsync()).ShouldBe($"a{i}");
            await SayAsync(server, kind, form);
            await server.SendAsync($":=to a{i}\n");
            (await client.ReadAsync()).ShouldBe($":=to a{i}");

            // While nobody waits, too.
            await SayAsync(server, kind, form);
            for (int pong = 0; kind == '!' && pong < 2; pong++)
            {
                (await server.ReadAsync()).ShouldBe(".");
            }
        }

        mesh.HasAnother.ShouldBeFalse();
        (await mesh.Proxy.StatAsync("cluster.main.upstream_push_dropped")).ShouldBe(0);
    }

    [Theory]
    [InlineData("whole")]
    [InlineData("cut")]
    [InlineData("long")]
    public async Task PingBetweenAnswersOfTwoClients_IsAnsweredBehindWhatIsDue(string form)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd first = await mesh.ConnectAsync();
        LineEnd second = await mesh.ConnectAsync();
        await first.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await second.SendAsync("b1\n");
        (await server.ReadAsync()).ShouldBe("b1");
        await SayAsync(server, '!', form);
        await server.SendAsync(":=to a1\n");
        await SayAsync(server, '!', form);
        await server.SendAsync(":=to b1\n");

        (await first.ReadAsync()).ShouldBe(":=to a1");
        (await second.ReadAsync()).ShouldBe(":=to b1");
        (await server.ReadAsync()).ShouldBe(".");
        (await server.ReadAsync()).ShouldBe(".");
    }

    [Theory]
    [InlineData("whole")]
    [InlineData("cut")]
    [InlineData("long")]
    public async Task PushOnASharedConnection_IsDroppedAndCounted(string form)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await SayAsync(server, '>', form);
        await server.SendAsync(":=to a1\n");
        (await client.ReadAsync()).ShouldBe(":=to a1");
        (await mesh.Proxy.StatAsync("cluster.main.upstream_push_dropped")).ShouldBe(1);
    }

    [Fact]
    public async Task ConnectionOfAClientsOwn_AnswersPings_AndPassesPushesOn()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("I1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("I1");
        await server.SendAsync(":!\n:=pinned\n:!\n:>news\n");
        (await client.ReadAsync()).ShouldBe(":=pinned");
        (await client.ReadAsync()).ShouldBe(":>news");
        (await server.ReadAsync()).ShouldBe(".");
        (await server.ReadAsync()).ShouldBe(".");

        await client.SendAsync("U1\n");
        (await server.ReadAsync()).ShouldBe("U1");
        await server.SendAsync(":=free\n");
        (await client.ReadAsync()).ShouldBe(":=free");

        // Back in its pool.
        await server.SendAsync(":!\n:>nobody's\n");
        (await server.ReadAsync()).ShouldBe(".");
        (await mesh.Proxy.StatAsync("cluster.main.upstream_cx_active")).ShouldBe(1);
        await MeshL4.TestKit.Patience.UntilAsync(
            async () => await mesh.Proxy.StatAsync("cluster.main.upstream_push_dropped") == 1, "nobody has it for himself", () => mesh.Proxy.Said);
    }

    /// <summary>A Pong in the middle of a request would be part of its body.</summary>
    [Fact]
    public async Task PingWhileARequestIsSent_IsAnsweredBehindIt()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        string part = new('x', Long);
        await client.SendAsync("a" + part);
        LineEnd server = await mesh.AcceptAsync();
        await server.SendAsync(":!\n:!\n:~\n:>news\n");
        (await client.ReadAsync()).ShouldBe(":>news");

        await client.SendAsync(part + "\n");

        (await server.ReadAsync())!.Length.ShouldBe(1 + (2 * Long));
        (await server.ReadAsync()).ShouldBe(".");
        (await server.ReadAsync()).ShouldBe(".");
        await server.SendAsync(":=whole\n");
        (await client.ReadAsync()).ShouldBe(":=whole");
    }

    [Fact]
    public async Task ConnectionThatRelays_PassesFramesOn_AndAnswersPingsToo()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("R1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("R1");
        foreach (string frame in (string[])[":=one", ":!", ":>two", ":~", ":G", ":=three"])
        {
            await server.SendAsync(frame + "\n");
            (await client.ReadAsync()).ShouldBe(frame);
        }

        (await server.ReadAsync()).ShouldBe(".");
    }

    [Theory]
    [InlineData("beats", "whole")]
    [InlineData("beats", "cut")]
    [InlineData("beats", "long")]
    [InlineData("beats_apart", "whole")]
    public async Task ConnectionWhoseServerGoesAway_AnswersWhatIsDue_AndTakesNothingNew(string codec, string form)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: codec);
        LineEnd client = await mesh.ConnectAsync();
        LineEnd other = await mesh.ConnectAsync();
        await client.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await SayAsync(server, 'G', form);
        await server.SendAsync(":!\n");
        (await server.ReadAsync()).ShouldBe(".");
        await other.SendAsync("b1\n");
        LineEnd next = await mesh.AcceptAsync();
        (await next.ReadAsync()).ShouldBe("b1");
        await next.SendAsync(":=to b1\n");
        (await other.ReadAsync()).ShouldBe(":=to b1");

        await server.SendAsync(":=to a1\n");

        (await client.ReadAsync()).ShouldBe(":=to a1");
        (await server.ReadAsync()).ShouldBeNull();
        await SayAsync(next, 'G', form);
        (await next.ReadAsync()).ShouldBeNull();
        await client.SendAsync("a2\n");
        LineEnd last = await mesh.AcceptAsync();
        (await last.ReadAsync()).ShouldBe("a2");
        await last.SendAsync(":=to a2\n");
        (await client.ReadAsync()).ShouldBe(":=to a2");
    }

    /// <summary>Its state is on that connection: nothing of it can go on elsewhere.</summary>
    [Fact]
    public async Task ConnectionOfAClientsOwn_WhoseServerGoesAway_EndsItBehindTheAnswersDue()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("I1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("I1");
        await server.SendAsync(":G\n:!\n");
        (await server.ReadAsync()).ShouldBe(".");
        await client.SendAsync("a2\n");
        await server.SendAsync(":=to I1\n");
        (await client.ReadAsync()).ShouldBe(":=to I1");
        (await client.ReadAsync()).ShouldBeNull();
        (await server.ReadAsync()).ShouldBeNull();
        (await mesh.Proxy.RecordOfAsync(client.Local)).Details.ShouldBe("beats_pinned_upstream_closed");
    }

    /// <summary>A Pong stands in no order with answers: it is not the answer of who asked first.</summary>
    [Fact]
    public async Task PongForTheProxysOwnPing_IsNoAnswer()
    {
        await using LineMesh mesh = await LineMesh.StartAsync(upstream: "health_check_interval: 3s", codec: "beats");
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        (await server.ReadAsync()).ShouldBe("!");
        await client.SendAsync("a2\n");
        (await server.ReadAsync()).ShouldBe("a2");
        await server.SendAsync(":.\n:=to a1\n:=to a2\n");
        (await client.ReadAsync()).ShouldBe(":=to a1");
        (await client.ReadAsync()).ShouldBe(":=to a2");
        (await server.ReadAsync()).ShouldBe("!");
    }

    private static async Task SayAsync(LineEnd server, char kind, string form)
    {
        foreach (string piece in form switch { "cut" => [":", $"{kind}", "of", "f\n"], "long" => [$":{kind}", new string('x', Long), "\n"], _ => (string[])[$":{kind}off\n"] })
        {
            await server.SendAsync(piece);
            if (form == "cut")
            {
                // Most likely read by itself; what holds then holds as well when it is not.
                await Task.Delay(20);
            }
        }
    }
}

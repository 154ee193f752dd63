using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Frames that a codec may tell of and that the runtime has no act for: each ends its connection, behind an error, by its name.</summary>
public sealed class FrameRefusalTests
{
    [Theory]
    [InlineData("O", "frame_StreamOpen")]
    [InlineData("D", "frame_StreamData")]
    [InlineData("E", "frame_StreamEnd")]
    [InlineData("H", "frame_Handshake")]
    [InlineData("R", "frame_Raw")]
    [InlineData("U", "frame_Push")]
    [InlineData("A", "frame_Response")]
    [InlineData("T", "several_replies")]
    [InlineData("S", "replies_until_end")]
    public async Task FrameWithoutAnAct_EndsItsConnectionByName_BehindTheAnswersDue(string frame, string name)
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd other = await mesh.ConnectAsync();
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync($"a1\n{frame}\nnever\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await server.SendAsync("to a1\n");
        (await client.ReadAsync()).ShouldBe("to a1");
        (await client.ReadAsync()).ShouldBe("error Unsupported");
        (await client.ReadAsync()).ShouldBeNull();
        AccessRecord record = await mesh.Proxy.RecordOfAsync(client.Local);
        (record.Flags, record.By, record.Details).ShouldBe(("DPE", "proxy", "lines_unsupported_" + name));

        // Nobody else notices, and nothing of it reached the server.
        await other.SendAsync("b1\n");
        (await server.ReadAsync()).ShouldBe("b1");
        await server.SendAsync("to b1\n");
        (await other.ReadAsync()).ShouldBe("to b1");
        (await mesh.Proxy.StatAsync("meshl4.loop_faults")).ShouldBe(0);
    }

    [Fact]
    public async Task RequestThatMayHaveNoAnswer_IsAnsweredWithAnError_AndItsClientStays()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("Q1\nP\na1\n");
        (await client.ReadAsync()).ShouldBe("error Unsupported");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await server.SendAsync("to a1\n");
        (await client.ReadAsync()).ShouldBe("to a1");
    }

    [Fact]
    public async Task GoAwayOfAClient_EndsItBehindTheAnswersDue()
    {
        await using LineMesh mesh = await LineMesh.StartAsync();
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\nG\nnever\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");
        await server.SendAsync("to a1\n");
        (await client.ReadAsync()).ShouldBe("to a1");
        (await client.ReadAsync()).ShouldBeNull();
        (await mesh.Proxy.RecordOfAsync(client.Local)).Flags.ShouldBe("-");
    }
}

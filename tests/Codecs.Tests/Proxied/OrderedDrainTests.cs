using Shouldly;
using Xunit;

namespace MeshL4.Codecs.Tests.Proxied;

/// <summary>Clients that have to go, where answers have an order: nothing is said before its turn.</summary>
public sealed class OrderedDrainTests
{
    [Theory]
    [InlineData("beats")]
    [InlineData("beats_apart")]
    public async Task Drain_TellsClientsBehindTheAnswersDue(string codec)
    {
        await using LineMesh mesh = await LineMesh.StartAsync(codec: codec);
        LineEnd client = await mesh.ConnectAsync();
        await client.SendAsync("a1\n");
        LineEnd server = await mesh.AcceptAsync();
        (await server.ReadAsync()).ShouldBe("a1");

        mesh.Proxy.Signal("TERM");
        await server.SendAsync(":=to a1\n");

        (await client.ReadAsync()).ShouldBe(":=to a1");
        (await client.ReadAsync()).ShouldBe(":G");
        (await client.ReadAsync()).ShouldBeNull();
    }
}

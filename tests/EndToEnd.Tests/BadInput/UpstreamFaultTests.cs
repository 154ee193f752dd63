using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Upstreams that refuse, hang, reset or never read: one connection ends with its reason, the others go on.</summary>
public sealed class UpstreamFaultTests
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("http")]
    public async Task Upstream_ThatRefuses_EndsWithUF(string kind)
    {
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", Peer.Refusing()));
        using Client client = await Client.ConnectToBeEndedAsync(bench.Port(kind));
        await client.SendAsync("GET / HTTP/1.1\r\n\r\n");
        (await client.ReadToEndAsync()).Bytes.ShouldBeEmpty();
        await bench.ExpectAsync(client, "UF", "upstream", "upstream_connect_failure");
    }

    [Fact]
    public async Task Upstream_ThatHangs_EndsWithUFAtTheConnectTimeout()
    {
        using Peer hanging = Peer.FullBacklog();
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", hanging.Address, "0.3s"));
        using Client client = await Client.ConnectToBeEndedAsync(bench.Port("tcp"));
        (await client.ReadToEndAsync()).Bytes.ShouldBeEmpty();
        await bench.ExpectAsync(client, "UF", "upstream", "upstream_connect_failure");
    }

    [Fact]
    public async Task Upstream_ThatResetsMidStream_EndsWithUCAndPassesTheResetOn()
    {
        using Peer resets = Peer.ResetsMidStream();
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", resets.Address));
        using Client client = await Client.ConnectAsync(bench.Port("tcp"));
        await client.SendAsync("some request");
        (await client.ReadToEndAsync()).Reset.ShouldBeTrue();
        await bench.ExpectAsync(client, "UC", "upstream", "upstream_reset");
    }

    [Fact]
    public async Task Upstream_ThatNeverReads_HoldsItsClientBackOnly()
    {
        using Peer deaf = Peer.NeverReads();
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", deaf.Address));
        using Client client = await Client.ConnectAsync(bench.Port("tcp"));
        await client.FloodAsync(new byte[256 * 1024]);
        await bench.WitnessAsync();
        client.Reset();
        await bench.ExpectAsync(client, "DC", "downstream", "downstream_reset");
    }

    [Fact]
    public async Task RedisUpstream_ThatRefuses_IsAnsweredInRedis()
    {
        await using Bench bench = await Bench.StartAsync(b => b.Cluster("bad", Peer.Refusing()));
        using Client client = await Client.ConnectAsync(bench.Port("redis"));
        await client.SendAsync("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        client.EndSending();
        (await client.ReadTextToEndAsync()).ShouldStartWith("-");
        await bench.ExpectAsync(client, "UF", "upstream", "upstream_connect_failure");
    }
}

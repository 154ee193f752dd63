using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 9: a PROXY v2 LOCAL header has no addresses at all, and one with IPv6 addresses may reach a host without IPv6.</summary>
public sealed class Entry09_ProxyV2LocalWithoutAddressBlock
{
    [Fact]
    public async Task Local_WithoutAddressBlock_KeepsTheTrueAddresses()
    {
        using Peer echo = Peer.Echo();
        await using ProxyListener proxy = await ProxyListener.StartAsync(echo);
        using Client client = await Client.ConnectAsync(proxy.Port);

        await client.SendAsync(ProxyHeaders.V2(0x20, 0x00));
        (await client.EchoAsync("hello")).ShouldBe("hello");
        client.EndSending();
        (await client.ReadToEndAsync()).Bytes.ShouldBeEmpty();

        AccessRecord record = await proxy.Process.RecordOfAsync(client.Address);
        record.Remote.ShouldBe(client.Address.ToString());
        (record.Flags, record.By, record.Received).ShouldBe(("-", "both", 5));
        await proxy.ReturnsAsync();
    }

    [Fact]
    public async Task Proxy_WithIPv6Addresses_RecordsThem()
    {
        using Peer echo = Peer.Echo();
        await using ProxyListener proxy = await ProxyListener.StartAsync(echo);
        using Client client = await Client.ConnectAsync(proxy.Port);
        byte[] addresses = new byte[36];
        addresses[15] = 7;
        addresses[31] = 8;
        addresses[33] = 9;
        addresses[35] = 10;

        await client.SendAsync(ProxyHeaders.V2(0x21, 0x21, addresses));
        (await client.EchoAsync("six")).ShouldBe("six");
        client.EndSending();
        await client.ReadToEndAsync();

        AccessRecord record = await proxy.Process.RecordOfAsync(client.Address);
        (record.Remote, record.Local, record.Flags).ShouldBe(("[::7]:9", "[::8]:10", "-"));
        await proxy.ReturnsAsync();
    }
}

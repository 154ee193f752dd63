using System.Text;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.BadInput;

/// <summary>Entry 10: PROXY headers cut short, without an end, longer than any real one, or never sent.</summary>
public sealed class Entry10_ProxyHeaderTruncatedOrEndless
{
    private static readonly (string Name, byte[] Bytes)[] Corpus =
    [
        ("v2 with half an address", [.. ProxyHeaders.Signature, 0x21, 0x11, 0, 3, 1, 2, 3]),
        ("v2 of no length with a TCP family", Convert.FromHexString("0D0A0D0A000D0A515549540A21110000")),
        ("v2 TLV beyond its end", ProxyHeaders.V2(0x21, 0x11, [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2, 4, 0xff, 0xff])),
        ("v2 longer than the limit", ProxyHeaders.V2(0x21, 0x11, new byte[100], 65535)),
        ("v2 of an unknown command", ProxyHeaders.V2(0x2f, 0x11, new byte[12])),
        ("v1 without an end", Encoding.Latin1.GetBytes("PROXY TCP4 " + new string('1', 5000))),
        ("v1 with words for ports", "PROXY TCP4 1.2.3.4 5.6.7.8 one two\r\n"u8.ToArray()),
        ("no header", "GET / HTTP/1.1\r\n\r\n"u8.ToArray()),
        ("zeroes", new byte[200]),
    ];

    [Fact]
    public async Task Header_ThatIsInvalid_EndsItsConnectionOnly()
    {
        using Peer echo = Peer.Echo();
        await using ProxyListener proxy = await ProxyListener.StartAsync(echo);
        using Client good = await Client.ConnectAsync(proxy.Port);
        await good.SendAsync("PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n");
        foreach ((string name, byte[] bytes) in Corpus)
        {
            foreach (int piece in new[] { int.MaxValue, 1 })
            {
                using Client client = await Client.ConnectAsync(proxy.Port);
                await client.SendAsync(bytes, piece);
                (await client.ReadToEndAsync()).Bytes.ShouldBeEmpty(name);
                AccessRecord record = await proxy.Process.RecordOfAsync(client.Address);
                (record.Flags, record.By, record.Received).ShouldBe(("DPE", "proxy", 0), name);
                record.Details.ShouldStartWith("proxy_", customMessage: name);
                (await good.EchoAsync(name)).ShouldBe(name);
            }
        }

        good.Dispose();
        await proxy.ReturnsAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("PROXY TCP4 1.2.")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n!")]
    public async Task Header_ThatNeverComes_EndsAtTheTimeout(string beginning)
    {
        using Peer echo = Peer.Echo();
        await using ProxyListener proxy = await ProxyListener.StartAsync(echo, timeout: "1s");
        using Client client = await Client.ConnectAsync(proxy.Port);

        await client.SendAsync(beginning);
        (await client.ReadToEndAsync()).Bytes.ShouldBeEmpty();

        AccessRecord record = await proxy.Process.RecordOfAsync(client.Address);
        (record.Flags, record.By, record.Details).ShouldBe(("DPE", "proxy", "listener_filters_timeout"));
        await proxy.ReturnsAsync();
    }
}

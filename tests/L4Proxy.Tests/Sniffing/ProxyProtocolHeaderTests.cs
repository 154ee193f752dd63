using System.Net;
using System.Text;
using MeshL4.L4Proxy.Sniffing;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sniffing;

public sealed class ProxyProtocolHeaderTests
{
    private const string Signature = "0D0A0D0A000D0A515549540A";
    private const string V4Addresses = "C0000201C63364020FA01F90";

    private static ProxySniff Read(byte[] bytes) => ProxyProtocolHeader.Read(new(bytes), true, true);

    private static ProxySniff ReadText(string text) => Read(Encoding.Latin1.GetBytes(text));

    private static ProxySniff ReadHex(string hex) => Read(Convert.FromHexString(Signature + hex));

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.1 198.51.100.2 4000 80\r\n", "192.0.2.1:4000", "198.51.100.2:80")]
    [InlineData("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", "[2001:db8::1]:65535", "[::1]:0")]
    [InlineData("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "[::ffff:192.0.2.1]:1", "[::1]:2")]
    public void Read_V1Line_GivesBothAddresses(string line, string source, string destination)
    {
        ProxyHeader header = ReadText(line + "rest").Header.ShouldNotBeNull();
        header.ShouldBe(new ProxyHeader(1, IPEndPoint.Parse(source), IPEndPoint.Parse(destination), line.Length));
    }

    [Theory]
    [InlineData("PROXY UNKNOWN\r\n")]
    [InlineData("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n")]
    public void Read_V1Unknown_HasNoAddresses(string line) =>
        ReadText(line).Header.ShouldBe(new ProxyHeader(1, null, null, line.Length));

    [Theory]
    [InlineData("PROXY TCP4 192.0.2.1 198.51.100.2 4000 80\n", "proxy_v1_no_carriage_return")]
    [InlineData("PROXY \n", "proxy_v1_no_carriage_return")]
    [InlineData("PROXY \r\n", "proxy_v1_family")]
    [InlineData("PROXY UDP4 1.1.1.1 1.1.1.1 1 1\r\n", "proxy_v1_family")]
    [InlineData("PROXY TCP4 192.0.2.1 198.51.100.2 4000\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 192.0.2.1 198.51.100.2 4000 80 9\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 192.0.2.1 198.51.100.2 4000 80 \r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4  192.0.2.1 198.51.100.2 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 010.0.2.1 198.51.100.2 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 0x7f.1 198.51.100.2 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 1.2.3 198.51.100.2 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 1.2.3.4.5 198.51.100.2 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 1.2.3.256 198.51.100.2 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 ::1 ::1 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP6 1.2.3.4 1.2.3.4 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP6 fe80::1%1 ::1 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP6 [::1] ::1 4000 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 1.2.3.4 1.2.3.4 65536 80\r\n", "proxy_v1_addresses")]
    [InlineData("PROXY TCP4 1.2.3.4 1.2.3.4 -1 80\r\n", "proxy_v1_addresses")]
    public void Read_BrokenV1_IsInvalid(string line, string reason) => ReadText(line).Reason.ShouldBe(reason);

    [Fact]
    public void Read_V1WithoutNewline_StopsAt107Bytes()
    {
        ReadText("PROXY UNKNOWN ".PadRight(106, 'x')).Status.ShouldBe(ProxySniffStatus.NeedMore);
        ReadText("PROXY UNKNOWN ".PadRight(107, 'x')).Reason.ShouldBe("proxy_v1_no_newline");
        ReadText("PROXY UNKNOWN ".PadRight(105, 'x') + "\r\n").Header!.Length.ShouldBe(107);
        ReadText("PROXY UNKNOWN ".PadRight(106, 'x') + "\r\n").Reason.ShouldBe("proxy_v1_no_newline");
    }

    [Fact]
    public void Read_V2Tcp4_GivesBothAddresses()
    {
        var expected = new ProxyHeader(2, IPEndPoint.Parse("192.0.2.1:4000"), IPEndPoint.Parse("198.51.100.2:8080"), 28);
        ReadHex("2111000C" + V4Addresses + "AABB").Header.ShouldBe(expected);
    }

    [Fact]
    public void Read_V2Tcp6WithTlv_GivesBothAddressesAndWholeLength()
    {
        string hex = "21210029" + "20010DB8000000000000000000000001" + "00000000000000000000000000000001" + "00010002" + "0400020000";
        ReadHex(hex).Header.ShouldBe(
            new ProxyHeader(2, IPEndPoint.Parse("[2001:db8::1]:1"), IPEndPoint.Parse("[::1]:2"), 57));
    }

    [Theory]
    [InlineData("20000000", 16)]
    [InlineData("20110000", 16)]
    [InlineData("2011000C" + V4Addresses, 28)]
    [InlineData("20FF0001FF", 17)]
    [InlineData("21000000", 16)]
    [InlineData("2100000201FF", 18)]
    public void Read_V2LocalOrUnspecified_HasNoAddresses(string hex, int length) =>
        ReadHex(hex).Header.ShouldBe(new ProxyHeader(2, null, null, length));

    [Fact]
    public void Read_V2Unix_HasNoAddresses() =>
        ReadHex("213100D8" + new string('0', 432)).Header.ShouldBe(new ProxyHeader(2, null, null, 232));

    [Theory]
    [InlineData("11", "proxy_v2_version_or_command")]
    [InlineData("22", "proxy_v2_version_or_command")]
    [InlineData("2112000C" + V4Addresses, "proxy_v2_family")]
    [InlineData("2110000C" + V4Addresses, "proxy_v2_family")]
    [InlineData("2141000C" + V4Addresses, "proxy_v2_family")]
    [InlineData("21110000", "proxy_v2_address_block_truncated")]
    [InlineData("2111000BC0000201C63364020FA01F", "proxy_v2_address_block_truncated")]
    [InlineData("2121000C" + V4Addresses, "proxy_v2_address_block_truncated")]
    [InlineData("2131000C" + V4Addresses, "proxy_v2_address_block_truncated")]
    [InlineData("2111000D" + V4Addresses + "01", "proxy_v2_tlv_truncated")]
    [InlineData("2111000F" + V4Addresses + "010001", "proxy_v2_tlv_truncated")]
    [InlineData("21110010" + V4Addresses + "01FFFF41", "proxy_v2_tlv_truncated")]
    [InlineData("2111FFFF", "proxy_v2_too_long")]
    [InlineData("20000FF1", "proxy_v2_too_long")]
    [InlineData("21120000", "proxy_v2_family")]
    public void Read_BrokenV2_IsInvalid(string hex, string reason) => ReadHex(hex).Reason.ShouldBe(reason);

    [Fact]
    public void Read_EveryPrefix_NeedsMore()
    {
        byte[][] headers =
        [
            "PROXY TCP4 192.0.2.1 198.51.100.2 4000 80\r\n"u8.ToArray(),
            Convert.FromHexString(Signature + "2111000F" + V4Addresses + "040000"),
        ];
        foreach (byte[] header in headers)
        {
            for (int length = 1; length < header.Length; length++)
            {
                ProxyProtocolHeader.Read(Segments.Of(header.AsMemory(0, length), 1), true, true)
                    .Status.ShouldBe(ProxySniffStatus.NeedMore, $"{length} of {header.Length}");
            }

            ProxyProtocolHeader.Read(Segments.Of(header, 1), true, true).Header!.Length.ShouldBe(header.Length);
        }
    }

    [Theory]
    [InlineData("POST / HTTP/1.1")]
    [InlineData("PROXX")]
    [InlineData("\r\n\r\nGET")]
    public void Read_OtherBytes_AreAbsent(string text) => ReadText(text).Status.ShouldBe(ProxySniffStatus.Absent);

    [Fact]
    public void Read_VersionSwitchedOff_IsInvalid()
    {
        ProxyProtocolHeader.Read(new("PROXY UNKNOWN\r\n"u8.ToArray()), false, true).Reason.ShouldBe("proxy_protocol_version_not_allowed");
        ProxyProtocolHeader.Read(new(Convert.FromHexString(Signature + "20000000")), true, false)
            .Reason.ShouldBe("proxy_protocol_version_not_allowed");
    }

    [Fact]
    public void Read_RandomTailAfterSignature_NeverThrows()
    {
        var random = new Random(11);
        byte[] bytes = new byte[60];
        for (int round = 0; round < 20_000; round++)
        {
            random.NextBytes(bytes);
            Convert.FromHexString(Signature).CopyTo(bytes, 0);
            bytes[12] = (byte)(0x20 | random.Next(2));
            bytes[14] = 0;
            bytes[15] = (byte)random.Next(50);
            ProxySniff sniff = ProxyProtocolHeader.Read(Segments.Of(bytes, 9), true, true);
            (sniff.Header?.Length ?? 0).ShouldBeLessThanOrEqualTo(bytes.Length);
        }
    }
}

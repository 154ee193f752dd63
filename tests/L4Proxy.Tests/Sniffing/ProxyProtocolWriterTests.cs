using System.Buffers;
using System.Net;
using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sniffing;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sniffing;

public sealed class ProxyProtocolWriterTests
{
    private static byte[] Write(
        ProxyProtocolVersion version, string? source, string? destination, string? sni = null, string? alpn = null, string? routes = null)
    {
        var output = new ArrayBufferWriter<byte>();
        int written = ProxyProtocolWriter.Write(output, version, Parse(source), Parse(destination), sni, alpn, routes);
        written.ShouldBe(output.WrittenCount);
        return output.WrittenSpan.ToArray();
    }

    private static IPEndPoint? Parse(string? text) => text is null ? null : IPEndPoint.Parse(text);

    [Theory]
    [InlineData("192.0.2.1:4000", "198.51.100.2:80", "PROXY TCP4 192.0.2.1 198.51.100.2 4000 80\r\n")]
    [InlineData("[2001:db8::1]:4000", "[::1]:80", "PROXY TCP6 2001:db8::1 ::1 4000 80\r\n")]
    [InlineData("192.0.2.1:4000", "[::1]:80", "PROXY TCP6 ::ffff:192.0.2.1 ::1 4000 80\r\n")]
    [InlineData("[::ffff:192.0.2.1]:4000", "198.51.100.2:80", "PROXY TCP4 192.0.2.1 198.51.100.2 4000 80\r\n")]
    [InlineData("[fe80::1%7]:4000", "[::1]:80", "PROXY TCP6 fe80::1 ::1 4000 80\r\n")]
    [InlineData(null, "198.51.100.2:80", "PROXY UNKNOWN\r\n")]
    public void Write_V1_IsTheLine(string? source, string? destination, string expected) =>
        Encoding.Latin1.GetString(Write(ProxyProtocolVersion.V1, source, destination)).ShouldBe(expected);

    [Fact]
    public void Write_V2Tcp4WithTlvs_IsByteExact()
    {
        byte[] bytes = Write(ProxyProtocolVersion.V2, "192.0.2.1:4000", "198.51.100.2:8080", "a.b", "h2");
        Convert.ToHexString(bytes).ShouldBe(
            "0D0A0D0A000D0A515549540A" + "21110017" + "C0000201C63364020FA01F90" + "0100026832" + "020003612E62");
    }

    [Fact]
    public void Write_V2WithRoutes_TellsTheirNameLast() =>
        Convert.ToHexString(Write(ProxyProtocolVersion.V2, "192.0.2.1:4000", "198.51.100.2:8080", "a.b", null, "80"))
            .ShouldBe("0D0A0D0A000D0A515549540A" + "21110017" + "C0000201C63364020FA01F90" + "020003612E62" + "E000023830");

    [Fact]
    public void Write_V2WithoutAddresses_IsLocal() =>
        Convert.ToHexString(Write(ProxyProtocolVersion.V2, "192.0.2.1:1", null, "a.b"))
            .ShouldBe("0D0A0D0A000D0A515549540A" + "20000000");

    [Theory]
    [InlineData("192.0.2.1:4000", "198.51.100.2:8080", "192.0.2.1:4000", "198.51.100.2:8080")]
    [InlineData("[2001:db8::1]:1", "[2001:db8::2]:2", "[2001:db8::1]:1", "[2001:db8::2]:2")]
    [InlineData("192.0.2.1:1", "[2001:db8::2]:2", "[::ffff:192.0.2.1]:1", "[2001:db8::2]:2")]
    [InlineData("[::ffff:192.0.2.1]:1", "192.0.2.9:2", "192.0.2.1:1", "192.0.2.9:2")]
    public void Write_V2_ReadsBack(string source, string destination, string readSource, string readDestination)
    {
        byte[] bytes = Write(ProxyProtocolVersion.V2, source, destination, new string('a', 255), new string('b', 255));
        ProxyProtocolHeader.Read(new(bytes), false, true).Header
            .ShouldBe(new ProxyHeader(2, IPEndPoint.Parse(readSource), IPEndPoint.Parse(readDestination), bytes.Length));
    }

    [Fact]
    public void Write_OverlongName_IsLeftOut() =>
        Write(ProxyProtocolVersion.V2, "192.0.2.1:1", "192.0.2.1:2", new string('a', 256)).Length.ShouldBe(28);

    [Fact]
    public void Write_None_WritesNothing() =>
        Write(ProxyProtocolVersion.None, "192.0.2.1:1", "192.0.2.1:2").ShouldBeEmpty();
}

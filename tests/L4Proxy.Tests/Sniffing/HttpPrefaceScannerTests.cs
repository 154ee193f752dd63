using System.Buffers;
using System.Text;
using MeshL4.L4Proxy.Sniffing;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sniffing;

public sealed class HttpPrefaceScannerTests
{
    private static HttpSniff Read(string text)
    {
        var scanner = new HttpPrefaceScanner(SniffBudget.Default.HttpBytes);
        return scanner.Read(new ReadOnlySequence<byte>(Encoding.Latin1.GetBytes(text)));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("GET / HTTP/1.0\r\n", (int)HttpSniff.Http10)]
    [InlineData("get /lower HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("M-SEARCH * HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("CONNECT host:443 HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("\r\n\r\nGET / HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("GET  \t/a b  HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("GET /HTTP/1.0 HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("GET HTTP/1. HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("GET / HTTP/1.9\r\n", (int)HttpSniff.Http11)]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (int)HttpSniff.Http2)]
    [InlineData("PRI / HTTP/1.1\r\n", (int)HttpSniff.Http11)]
    [InlineData("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("GET / HTTP/2.0\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("GET /\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("GET key\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("*1\r\n$4\r\nPING\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("EHLO a.example\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("GET /\0 HTTP/1.1\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n", (int)HttpSniff.NotHttp)]
    [InlineData(" GET / HTTP/1.1\r\n", (int)HttpSniff.NotHttp)]
    [InlineData("\x16\x03\x01", (int)HttpSniff.NotHttp)]
    [InlineData("", (int)HttpSniff.NeedMore)]
    [InlineData("PRI * HT", (int)HttpSniff.NeedMore)]
    [InlineData("\r\n", (int)HttpSniff.NeedMore)]
    public void Read_FirstBytes_AreClassified(string text, int expected) =>
        ((int)Read(text)).ShouldBe(expected);

    [Fact]
    public void Read_OneByteAtATime_DecidesWithTheVersion()
    {
        byte[] text = Encoding.Latin1.GetBytes("\r\nPOST /path?q=1 HTTP/1.1");
        var scanner = new HttpPrefaceScanner(SniffBudget.Default.HttpBytes);
        for (int length = 0; length < text.Length; length++)
        {
            scanner.Read(Segments.Of(text.AsMemory(0, length), 1)).ShouldBe(HttpSniff.NeedMore, $"{length} bytes");
        }

        scanner.Read(Segments.Of(text, 1)).ShouldBe(HttpSniff.Http11);
    }

    [Fact]
    public void Read_LineOverTheLimit_IsRefusedAndNotPlain()
    {
        Read("GET /" + new string('a', 8000) + " HTTP/1.1").ShouldBe(HttpSniff.Http11);
        Read("GET /" + new string('a', 8200) + " HTTP/1.1").ShouldBe(HttpSniff.TooLong);
        Read(new string('\n', 8192)).ShouldBe(HttpSniff.TooLong);
    }
}

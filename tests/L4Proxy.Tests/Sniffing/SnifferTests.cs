using System.Buffers;
using System.Net;
using System.Text;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Sniffing;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Sniffing;

public sealed class SnifferTests
{
    private const string Header = "PROXY TCP4 192.0.2.1 198.51.100.2 4000 9000\r\n";

    private static readonly ListenerFilters All = new() { ProxyProtocol = true, TlsInspector = true, HttpInspector = true };

    private static readonly ListenerFilters Both = new() { TlsInspector = true, HttpInspector = true };

    private static ReadOnlySequence<byte> Bytes(string text) => new(Encoding.Latin1.GetBytes(text));

    [Fact]
    public void Read_HeaderThenHello_SkipsOnlyTheHeader()
    {
        byte[] bytes = [.. Encoding.Latin1.GetBytes(Header), .. HelloBuilder.Simple("a.example", "istio")];
        var sniffer = new Sniffer(All, 15006);
        for (int length = 0; length < bytes.Length; length++)
        {
            sniffer.Read(Segments.Of(bytes.AsMemory(0, length), 5)).Status.ShouldBe(SniffStatus.NeedMore, $"{length} bytes");
        }

        SniffResult result = sniffer.Read(Segments.Of(bytes, 5)).Result.ShouldNotBeNull();
        result.BytesToSkip.ShouldBe(Header.Length);
        result.Proxy!.Source.ShouldBe(IPEndPoint.Parse("192.0.2.1:4000"));
        result.TransportProtocol.ShouldBe("tls");
        result.ServerName.ShouldBe("a.example");
        result.ApplicationProtocols.ShouldBe(["istio"]);
    }

    [Fact]
    public void Read_HeaderThenHttp_GivesBoth()
    {
        SniffResult result = new Sniffer(All, 1).Read(Bytes(Header + "GET / HTTP/1.0\r\n")).Result.ShouldNotBeNull();
        result.Http.ShouldBe(HttpKind.Http10);
        result.ApplicationProtocols.ShouldBe(["http/1.0"]);
        result.BytesToSkip.ShouldBe(Header.Length);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n", "http/1.1")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "h2c")]
    [InlineData("*1\r\n", "")]
    public void Read_PlainBytes_SkipsNothing(string text, string protocol)
    {
        SniffResult result = new Sniffer(Both, 80).Read(Bytes(text)).Result.ShouldNotBeNull();
        string.Join(',', result.ApplicationProtocols).ShouldBe(protocol);
        result.TransportProtocol.ShouldBe("raw_buffer");
        result.BytesToSkip.ShouldBe(0);
    }

    [Theory]
    [InlineData("\x16\x03\x01\x00\x00")]
    [InlineData("\x16\x03\x01\x00\x01\x02")]
    public void Read_MalformedHello_IsRejectedAndNotRaw(string text) =>
        new Sniffer(Both, 443).Read(Bytes(text)).Status.ShouldBe(SniffStatus.Reject);

    [Fact]
    public void Read_HttpLineTooLong_IsRejectedAndNotRaw() =>
        new Sniffer(Both, 80).Read(Bytes("GET /" + new string('x', 9000))).Reason.ShouldBe("http_request_line_too_long");

    [Fact]
    public void Read_HeaderMissing_DependsOnTheSetting()
    {
        new Sniffer(All, 1).Read(Bytes("GET / HTTP/1.1\r\n")).Reason.ShouldBe("proxy_protocol_header_missing");
        ListenerFilters lenient = All with { AllowWithoutProxyProtocol = true };
        new Sniffer(lenient, 1).Read(Bytes("GET / HTTP/1.1\r\n")).Result.ShouldBe(SniffResult.Http11);
    }

    [Fact]
    public void Read_SecondHeader_IsData()
    {
        SniffResult result = new Sniffer(All, 1).Read(Bytes(Header + Header)).Result.ShouldNotBeNull();
        result.BytesToSkip.ShouldBe(Header.Length);
        result.Http.ShouldBe(HttpKind.None);
    }

    [Fact]
    public void Read_FilterDisabledOnPort_DoesNotWait()
    {
        ListenerFilters filters = Both with { HttpInspectorDisabled = PortSet.Range(3306, 3306 + 1), TlsInspectorDisabled = PortSet.Range(3306, 3306 + 1) };
        Sniffer.NeedsBytes(filters, 3306).ShouldBeFalse();
        Sniffer.NeedsBytes(filters, 80).ShouldBeTrue();
        new Sniffer(filters, 3306).Read(Bytes("GET / HTTP/1.1\r\n")).Result.ShouldBe(SniffResult.Raw);
    }

    [Fact]
    public void Read_HeaderChangesPort_DisablesByTheNewPort()
    {
        ListenerFilters filters = All with { HttpInspectorDisabled = PortSet.Range(9000, 9000 + 1), TlsInspector = false };
        new Sniffer(filters, 15006).Read(Bytes(Header)).Result!.Http.ShouldBe(HttpKind.None);
        new Sniffer(All with { TlsInspector = false }, 15006).Read(Bytes(Header)).Status.ShouldBe(SniffStatus.NeedMore);
    }

    [Theory]
    [InlineData("")]
    [InlineData("GET /unfinished")]
    public void Finish_NoHello_IsRaw(string text) =>
        new Sniffer(Both, 80).Finish(Bytes(text)).Result.ShouldBe(SniffResult.Raw);

    [Theory]
    [InlineData("\x16")]
    [InlineData("\x16\x03\x01")]
    public void Finish_UnfinishedHello_IsRejected(string text) =>
        new Sniffer(Both, 80).Finish(Bytes(text)).Reason.ShouldBe("tls_client_hello_incomplete");

    [Theory]
    [InlineData("", false, SniffStatusDone)]
    [InlineData("PROX", false, SniffStatusReject)]
    [InlineData("", true, SniffStatusReject)]
    public void Finish_HeaderExpected_IsRejectedUnlessSilentAndOptional(string text, bool required, int expected) =>
        ((int)new Sniffer(All with { AllowWithoutProxyProtocol = !required }, 80).Finish(Bytes(text)).Status).ShouldBe(expected);

    private const int SniffStatusDone = (int)SniffStatus.Done;
    private const int SniffStatusReject = (int)SniffStatus.Reject;
}

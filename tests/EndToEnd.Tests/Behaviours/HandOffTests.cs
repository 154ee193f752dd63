using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>HTTP goes to a real engine with the true addresses in a PROXY header.</summary>
public class HandOffTests
{
    private const string Request = "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    private const string Answer = "location / { return 200 \"$proxy_protocol_addr $proxy_protocol_server_addr $proxy_protocol_server_port\"; }";

    [Theory]
    [InlineData("V1")]
    [InlineData("V2")]
    public void HttpToNginx_OverTcp_LogHasTrueClientAndDestination(string version)
    {
        int engine = Ports.Free(), port = Ports.Free();
        using Peer nginx = Peer.Nginx(engine, $"server {{ listen 127.0.0.1:{engine} proxy_protocol; {Answer} }}");
        using Sidecar proxy = Sidecar.Start(Front(port).HandOff("engine", version).With(Boot.Cluster("engine", [nginx.Address])));
        using Call call = Call.To(port);
        call.Send(Request);
        call.Rest().ShouldEndWith($"127.0.0.1 127.0.0.1 {port}");
        Wait.Until(() => nginx.Read("access.log").Contains("hello", StringComparison.Ordinal), "nginx logged nothing");
        nginx.Read("access.log").ShouldContain($"127.0.0.1:{call.Local.Port} called 127.0.0.1:{port} \"GET /hello");
        call.Dispose();
        proxy.Logged("cluster=engine").ShouldContain($"in={Request.Length} ");
    }

    [Theory]
    [InlineData("V1")]
    [InlineData("V2")]
    public void HttpToNginx_OverUnixSocket_LogHasTrueClientAndDestination(string version)
    {
        int engine = Ports.Free(), port = Ports.Free();
        using Peer nginx = Peer.Nginx(engine, $"server {{ listen 127.0.0.1:{engine}; listen unix:@DIR@/sock proxy_protocol; {Answer} }}");
        using Sidecar proxy = Sidecar.Start(Front(port).HandOff("engine", version).With(Boot.Cluster("engine", [nginx.Folder.At("sock")])));
        using Call call = Call.To(port);
        call.Send(Request);
        call.Rest().ShouldEndWith($"127.0.0.1 127.0.0.1 {port}");
    }

    [Theory]
    [InlineData("V1", "127.0.0.1:@PORT@ accept-proxy")]
    [InlineData("V2", "127.0.0.1:@PORT@ accept-proxy")]
    [InlineData("V1", "@DIR@/sock accept-proxy")]
    [InlineData("V2", "@DIR@/sock accept-proxy")]
    public void HttpToHaproxy_SeesTrueClientAndDestination(string version, string bind)
    {
        int engine = Ports.Free(), probe = Ports.Free(), port = Ports.Free();
        using Peer haproxy = Peer.Haproxy(probe, $$"""
            frontend f
              mode http
              bind 127.0.0.1:{{probe}}
              bind {{bind.Replace("@PORT@", $"{engine}", StringComparison.Ordinal)}}
              http-request return status 200 content-type text/plain lf-string "%ci %cp %[dst] %[dst_port]"
            """);
        string endpoint = bind[0] == '@' ? haproxy.Folder.At("sock") : $"127.0.0.1:{engine}";
        using Sidecar proxy = Sidecar.Start(Front(port).HandOff("engine", version).With(Boot.Cluster("engine", [endpoint])));
        using Call call = Call.To(port);
        call.Send(Request);
        call.Rest().ShouldEndWith($"127.0.0.1 {call.Local.Port} 127.0.0.1 {port}");
    }

    [Fact]
    public void HttpToEngine_WithoutProxyProtocol_PassesBytesUnchanged()
    {
        int engine = Ports.Free(), port = Ports.Free();
        using Peer nginx = Peer.Nginx(engine, $"server {{ listen 127.0.0.1:{engine}; location / {{ return 200 \"plain $remote_addr\"; }} }}");
        using Sidecar proxy = Sidecar.Start(Front(port).HandOff("engine", "NONE").With(Boot.Cluster("engine", [nginx.Address])));
        using Call call = Call.To(port);
        call.Send(Request);
        call.Rest().ShouldEndWith("plain 127.0.0.1");
    }

    [Fact]
    public async Task TlsToHaproxy_HeaderCarriesServerName()
    {
        int engine = Ports.Free(), probe = Ports.Free(), port = Ports.Free();
        using var certificate = new TempFolder();
        Run.Must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=shop", "-keyout", certificate.At("key"), "-out", certificate.At("crt"));
        string pem = certificate.Write("both.pem", File.ReadAllText(certificate.At("key")) + File.ReadAllText(certificate.At("crt")));
        using Peer haproxy = Peer.Haproxy(probe, $$"""
            frontend f
              mode http
              bind 127.0.0.1:{{probe}}
              bind 127.0.0.1:{{engine}} accept-proxy ssl crt {{pem}}
              http-request return status 200 content-type text/plain lf-string "%[fc_pp_authority]"
            """);
        using Sidecar proxy = Sidecar.Start(Front(port, "tls_inspector").HandOff("engine", "V2").With(Boot.Cluster("engine", [$"127.0.0.1:{engine}"])));
        using Call call = Call.To(port);
        await using SslStream tls = await call.TlsAsync("shop.example", "http/1.1");
        await tls.WriteAsync(Encoding.ASCII.GetBytes(Request));
        using var reader = new StreamReader(tls);
        (await reader.ReadToEndAsync()).ShouldEndWith("shop.example");
        call.Dispose();
        proxy.Logged("cluster=engine").ShouldContain("sni=shop.example ");
    }

    [Fact]
    public async Task TlsHello_HeaderIsFollowedByAlpnAndTheUntouchedBytes()
    {
        using var engine = new TcpListener(IPAddress.Loopback, 0);
        engine.Start();
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(Front(port, "tls_inspector").HandOff("engine", "V2").With(Boot.Cluster("engine", [$"{engine.LocalEndpoint}"])));
        using Call call = Call.To(port);
        Task<SslStream> handshake = call.TlsAsync("shop.example", "h2");
        using Socket accepted = await engine.AcceptSocketAsync().WaitAsync(TestKit.Patience.Limit);
        accepted.ReceiveTimeout = (int)TestKit.Patience.Limit.TotalMilliseconds;
        byte[] header = new byte[16 + 12 + 5];
        using var stream = new NetworkStream(accepted);
        stream.ReadExactly(header);
        header[28..].ShouldBe([1, 0, 2, (byte)'h', (byte)'2']); // PP2_TYPE_ALPN
        stream.ReadExactly(new byte[3 + "shop.example".Length]);
        stream.ReadByte().ShouldBe(0x16); // the ClientHello begins right after the header
        accepted.Dispose();
        call.Dispose();
        await Should.ThrowAsync<Exception>(handshake);
    }

    [Fact]
    public void HttpWithoutEngineAndDestination_EndsWithNR()
    {
        int port = Ports.Free();
        using Sidecar proxy = Sidecar.Start(Front(port));
        using Call call = Call.To(port);
        call.Send(Request);
        call.Ends().ShouldBeTrue();
        proxy.Logged("flags=NR").ShouldContain("ended=proxy");
    }

    private static Boot Front(int port, string inspector = "http_inspector") =>
        new Boot().Listen("web", port, Boot.Chain(Boot.Hcm()), $", listener_filters: [{Boot.Inspector(inspector)}]");
}

using System.Net.Security;
using System.Text;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Behaviours;

/// <summary>Chains chosen by the first bytes of real clients.</summary>
public class SniffingTests
{
    [Fact]
    public async Task TlsClients_ByServerNameAndAlpn_ReachTheirBackends()
    {
        int port = Ports.Free();
        using Peer one = Peer.Tls("one", "http/1.1");
        using Peer two = Peer.Tls("two", "http/1.1");
        using Peer h2 = Peer.Tls("h2", "h2");
        string chains = string.Join(", ",
            Boot.Chain(Boot.Tcp("one"), "server_names: [one.example]", "one"),
            Boot.Chain(Boot.Tcp("two"), "server_names: ['*.two.example']", "two"),
            Boot.Chain(Boot.Tcp("h2"), "server_names: [one.example], application_protocols: [h2]", "h2"));
        using Sidecar proxy = Sidecar.Start(new Boot().Listen("tls", port, chains, $", listener_filters: [{Boot.Inspector("tls_inspector")}]")
            .With(Boot.Cluster("one", [one.Address]), Boot.Cluster("two", [two.Address]), Boot.Cluster("h2", [h2.Address])));
        (await CertificateOf(port, "one.example", "http/1.1")).ShouldBe("CN=one");
        (await CertificateOf(port, "shop.two.example", "http/1.1")).ShouldBe("CN=two");
        (await CertificateOf(port, "one.example", "h2")).ShouldBe("CN=h2");
        proxy.Logged("chain=two", "sni=shop.two.example", "transport=tls").ShouldContain("alpn=http/1.1");
        using Call other = Call.To(port);
        other.Send("not TLS at all\n");
        other.Ends().ShouldBeTrue();
        proxy.Logged("flags=NR").ShouldContain("details=filter_chain_not_found");
    }

    [Fact]
    public void OpenSslClient_ByServerName_ReachesItsBackend()
    {
        int port = Ports.Free();
        using Peer one = Peer.Tls("one", "http/1.1");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("tls", port, Boot.Chain(Boot.Tcp("one"), "server_names: [one.example]"), $", listener_filters: [{Boot.Inspector("tls_inspector")}]")
            .With(Boot.Cluster("one", [one.Address])));
        Run.Must("openssl", "s_client", "-connect", $"127.0.0.1:{port}", "-servername", "one.example").ShouldContain("CN = one");
    }

    [Fact]
    public void HttpInspector_TellsHttpFromRaw()
    {
        int port = Ports.Free(), engine = Ports.Free();
        using Peer nginx = Peer.Nginx(engine, $"server {{ listen 127.0.0.1:{engine} proxy_protocol; location / {{ return 200 engine; }} }}");
        using Backend raw = new("raw");
        string chains = Boot.Chain(Boot.Hcm(), "application_protocols: ['http/1.0', 'http/1.1', h2c]", "http") + ", " + Boot.Chain(Boot.Tcp("raw"), name: "rest");
        using Sidecar proxy = Sidecar.Start(new Boot().HandOff("engine", "V2")
            .Listen("mixed", port, chains, $", listener_filters: [{Boot.Inspector("http_inspector")}]")
            .With(Boot.Cluster("engine", [nginx.Address]), Boot.Cluster("raw", [raw.Address])));
        Http.Get(port, "/").ShouldBe((200, "engine"));
        Call.Ask(port, "hello there").ShouldBe("raw hello there");
    }

    [Theory]
    [InlineData("send-proxy")]
    [InlineData("send-proxy-v2")]
    public void ProxyProtocolFromHaproxy_NamesTheTrueClient(string how)
    {
        int port = Ports.Free(), front = Ports.Free();
        using Backend backend = new("b");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("pp", port, Boot.Chain(Boot.Tcp("b")), $", listener_filters: [{Boot.Inspector("proxy_protocol")}]")
            .With(Boot.Cluster("b", [backend.Address])));
        using Peer haproxy = Peer.Haproxy(front, $"listen l\n  mode tcp\n  bind 127.0.0.1:{front}\n  server s 127.0.0.1:{port} {how}");
        using Call call = Call.To(front);
        string client = call.Local.ToString();
        call.Ask("hello").ShouldBe("b hello");
        call.Dispose();
        proxy.Logged($"remote={client} ").ShouldContain($"local=127.0.0.1:{front} ");
    }

    [Fact]
    public void ServerFirst_FilterDisabledForThePort_BannerComesAtOnce()
    {
        int port = Ports.Free();
        using Backend banner = new("b", banner: "220 ready");
        string disabled = Boot.Inspector("http_inspector", $", filter_disabled: {{destination_port_range: {{start: {port}, end: {port + 1}}}}}");
        using Sidecar proxy = Sidecar.Start(new Boot()
            .Listen("smtp", port, Boot.Chain(Boot.Tcp("b")), $", listener_filters: [{disabled}], listener_filters_timeout: 60s")
            .With(Boot.Cluster("b", [banner.Address])));
        using Call call = Call.To(port);
        call.ReadLine().ShouldBe("220 ready"); // the read gives up long before the filters' 60 s
    }

    private static async Task<string> CertificateOf(int port, string serverName, string alpn)
    {
        using Call call = Call.To(port);
        await using SslStream tls = await call.TlsAsync(serverName, alpn);
        tls.NegotiatedApplicationProtocol.ToString().ShouldBe(alpn);
        await tls.WriteAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.0\r\n\r\n"));
        return tls.RemoteCertificate!.Subject;
    }
}

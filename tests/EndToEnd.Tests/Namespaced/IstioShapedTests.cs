using System.Diagnostics;
using System.Net;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// Resources in the shape istiod gives them to a sidecar (the folder Istio), real rules of the init container, and applications that
/// know of neither: plain traffic flows, what needs TLS fails closed.
/// </summary>
public sealed class IstioShapedTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly Pod _pod = new();

    public void Dispose()
    {
        _pod.Dispose();
        _folder.Dispose();
    }

    private string Bootstrap()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Istio"), "*.yaml"))
        {
            _folder.Write(Path.GetFileName(file), File.ReadAllText(file).Replace("$DIR", _folder.Path, StringComparison.Ordinal));
        }

        return _folder.At("bootstrap.yaml");
    }

    private Sidecar Start()
    {
        _pod.Exec("ip", "route", "add", "10.97.0.0/16", "via", Pod.OutsideIp); // the services' addresses, which nobody has
        _pod.Init("-b", "*", "-i", "*");
        return Sidecar.Start(File.ReadAllText(Bootstrap()), 15000, _pod.Name);
    }

    private string? FromPod(string address, int port) => Call.Ask(port, "x", address, _pod.Name);

    private string? FromOutside(int port) => Call.Ask(port, "x", Pod.Ip, _pod.Outside);

    [Fact]
    public void Validate_TakesItAndWarnsOfTlsOncePerResource()
    {
        string program = Path.Combine(AppContext.BaseDirectory, "meshl4-proxy");
        using Process validate = Process.Start(new ProcessStartInfo(program, ["validate", "-c", Bootstrap()]) { RedirectStandardOutput = true })!;
        string said = validate.StandardOutput.ReadToEnd();
        validate.WaitForExit();
        validate.ExitCode.ShouldBe(0, said);
        string[] tls = [.. said.Split('\n').Where(static line => line.Contains("TLS is not supported", StringComparison.Ordinal))];
        tls.Length.ShouldBe(3, said);
        tls.ShouldContain(static line => line.Contains("Listener/virtualInbound:", StringComparison.Ordinal));
        said.ShouldNotContain("istio.stats");
    }

    [Fact]
    public void Outbound_Services_ReachTheirPlainEndpoints()
    {
        using Backend plain = new("plain", _pod.Outside, 9001, address: "0.0.0.0");
        using Backend meshed = new("meshed", _pod.Outside, 9002, address: "0.0.0.0");
        using Backend lower = new("lower", _pod.Outside, 9003, address: "0.0.0.0");
        using Sidecar proxy = Start();
        for (int i = 0; i < 5; i++)
        {
            FromPod("10.97.0.10", 9000).ShouldBe("plain x");
        }

        FromPod("10.97.0.12", 27017).ShouldBe("plain x", "mongo_proxy is inert");
        FromPod("10.97.0.99", 9005).ShouldBe("plain x", "the wildcard listener of a port");
        FromPod("10.97.0.11", 9000).ShouldBeNull();
        proxy.Logged("cluster=outbound|9000||meshed.default.svc.cluster.local").ShouldContain("flags=UF details=tls_unsupported");
        meshed.Calls.ShouldBe(0);
        lower.Calls.ShouldBe(0);
        proxy.Stat("cluster.outbound|9000||meshed.default.svc.cluster.local.upstream_cx_tls_unsupported").ShouldBe(1);
    }

    [Fact]
    public void Outbound_UnknownDestinationAndForeignProtocol_PassThrough()
    {
        using Backend other = new("other", _pod.Outside, 7000, address: "0.0.0.0");
        using Backend odd = new("odd", _pod.Outside, 8080, address: "0.0.0.0");
        using Sidecar proxy = Start();
        FromPod(Pod.OutsideIp, 7000).ShouldBe("other x");
        proxy.Logged("chain=virtualOutbound-catchall-tcp").ShouldContain("cluster=PassthroughCluster ");
        FromPod(Pod.OutsideIp, 8080).ShouldBe("odd x");
        proxy.Logged("chain=PassthroughFilterChain").ShouldContain($"host={Pod.OutsideIp}:8080 ");
    }

    [Fact]
    public void Outbound_Http_GoesToItsDestination()
    {
        using Peer web = Peer.Nginx(8080, "server { listen 8080; location / { return 200 \"outside\"; } }", _pod.Outside);
        using Sidecar proxy = Start();
        using (Call call = Call.To(8080, Pod.OutsideIp, _pod.Name))
        {
            call.Send("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
            call.Rest().ShouldEndWith("outside");
        }

        Wait.Until(() => proxy.Stat("http.outbound_0.0.0.0_8080.downstream_cx_total") == 1, () => proxy.Get("/stats"));
    }

    [Fact]
    public async Task Inbound_PermissivePort_PlainPassesAndMutualTlsFailsClosed()
    {
        using Backend app = new("app", _pod.Name, 7100, address: "0.0.0.0");
        using Sidecar proxy = Start();
        FromOutside(7100).ShouldBe("app x");
        app.LastPeer!.Address.ShouldBe(IPAddress.Parse("127.0.0.6"));
        proxy.Logged("chain=0.0.0.0_7100 ").ShouldContain("cluster=inbound|7100|| ");
        int calls = app.Calls;
        foreach (string alpn in new[] { "istio", "istio-http/1.1" })
        {
            using Call call = Call.To(7100, Pod.Ip, _pod.Outside);
            await Should.ThrowAsync<IOException>(() => call.TlsAsync("app", alpn));
        }

        proxy.LoggedLines(2, "details=tls_unsupported");
        app.Calls.ShouldBe(calls, "mutual TLS fell to a looser chain");
        proxy.Stat("listener.0.0.0.0_15006.tls_unsupported").ShouldBe(2);
    }

    [Fact]
    public async Task Inbound_TlsOfTheApplicationsOwn_IsPassedOn()
    {
        using Peer site = Peer.Tls("site", "h2");
        using Sidecar proxy = Sidecar.Start(File.ReadAllText(Bootstrap()), 15000, _pod.Name);
        _pod.Init("-b", "*", "-i", "*");
        using System.Net.Sockets.Socket app = Pod.Listen(_pod.Name, 7100);
        using Call call = Call.To(7100, Pod.Ip, _pod.Outside);
        Task handshake = call.TlsAsync("app", "h2");
        using System.Net.Sockets.Socket accepted = Pod.Accept(app);
        byte[] first = new byte[1];
        accepted.Receive(first).ShouldBe(1);
        first[0].ShouldBe((byte)0x16); // the ClientHello, untouched
        accepted.Close();
        await Should.ThrowAsync<IOException>(() => handshake);
    }

    [Fact]
    public void Inbound_ServerFirstPortWithPolicy_SpeaksAndIsGuarded()
    {
        using Backend database = new("database", _pod.Name, 3306, banner: "welcome", address: "0.0.0.0");
        using Sidecar proxy = Start();
        using (Call call = Call.To(3306, Pod.Ip, _pod.Outside))
        {
            call.ReadLine().ShouldBe("welcome", "an inspector waited for the client's first byte");
        }

        proxy.Stat("rbac.tcp.allowed").ShouldBe(2);
        Pod.In(_pod.Outside, () => Run.Must("ip", "addr", "add", "10.77.0.66/24", "dev", "eth0"));
        Pod.In(_pod.Outside, () => Run.Must("ip", "route", "replace", "10.77.0.2/32", "dev", "eth0", "src", "10.77.0.66"));
        using (Call denied = Call.To(3306, Pod.Ip, _pod.Outside))
        {
            denied.Ends().ShouldBeTrue();
        }

        proxy.Logged("rbac_access_denied_matched_policy[ns[default]-policy[deny-one]-rule[0]]").ShouldContain("flags=UAEX ");
        database.Calls.ShouldBe(1);
    }

    [Fact]
    public void Inbound_UnknownPort_ReachesTheApplication()
    {
        using Backend app = new("app", _pod.Name, 7200, address: "0.0.0.0");
        using Sidecar proxy = Start();
        FromOutside(7200).ShouldBe("app x");
        proxy.Logged("chain=virtualInbound-catchall ").ShouldContain("cluster=InboundPassthroughCluster ");
    }
}

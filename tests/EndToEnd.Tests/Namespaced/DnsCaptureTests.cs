using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.TestKit;
using Shouldly;
using Xunit;
using Backend = MeshL4.EndToEnd.Tests.Behaviours.Stage.Backend;
using Peer = MeshL4.EndToEnd.Tests.Behaviours.Stage.Peer;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// Captured name resolution from end to end: rules of the init container, the proxy without capabilities it does not need, names from
/// a control plane of foreign make, dnsmasq for the others, and dig, which refuses an answer from where it did not ask.
/// </summary>
public sealed class DnsCaptureTests : IDisposable
{
    private const string Vip = "240.240.0.1";
    private const string OtherServer = "10.77.0.53";
    private readonly Pod _pod = new();
    private readonly TempFolder _folder = new();
    private readonly ResolvConf _resolvConf;
    private readonly Peer _dnsmasq;

    public DnsCaptureTests()
    {
        _resolvConf = new ResolvConf(_pod.Name, $"nameserver {Pod.OutsideIp}\nnameserver {Pod.OutsideIp6}\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:5\n");
        Pod.In(_pod.Outside, () => Run.Must("ip", "addr", "add", OtherServer + "/24", "dev", "eth0"));
        _pod.Exec("ip", "route", "add", "240.240.0.0/16", "via", Pod.OutsideIp); // the addresses of the mesh, which nobody has
        _dnsmasq = Peer.Dns(_pod.Outside, "--host-record=ext.example,192.0.2.7,2001:db8::7", $"--txt-record=long.example,{new string('x', 250)},{new string('y', 250)},{new string('z', 250)}");
    }

    public void Dispose()
    {
        _dnsmasq.Dispose();
        _resolvConf.Dispose();
        _folder.Dispose();
        _pod.Dispose();
    }

    [Theory]
    [InlineData("REDIRECT", false, "GRPC")]
    [InlineData("REDIRECT", true, "DELTA_GRPC")]
    [InlineData("TPROXY", false, "DELTA_GRPC")]
    [InlineData("TRANSPARENT", false, "DELTA_GRPC")]
    [InlineData("TRANSPARENT", true, "GRPC")]
    public async Task Names_OfTheMeshAndOthers_AreAnswered_LiveAndWithoutAControlPlane(string mode, bool all, string api)
    {
        using var service = new Backend("service", _pod.Outside, 9001, address: "0.0.0.0");
        Rules(mode, all);
        await using ControlPlane plane = await PlaneAsync();
        plane.Set("1", [.. Mesh("10.0.0.5")]);
        using Sidecar proxy = Start(mode, api);

        foreach (string server in new[] { Pod.OutsideIp, Pod.OutsideIp6 })
        {
            foreach (string transport in new[] { "+notcp", "+tcp" })
            {
                Dig(server, transport, "web.ns.svc.cluster.local", "A").ShouldBe("10.0.0.5");
                Dig(server, transport, "WEB.ns", "A").ShouldBe("10.0.0.5");
                Dig(server, transport, "web.ns.svc.cluster.local", "AAAA").ShouldBe("fd00::5");
                Dig(server, transport, "x.wild.example", "A").ShouldBe("10.0.0.9");
                Dig(server, transport, "ext.example", "A").ShouldBe("192.0.2.7");
                Dig(server, transport, "ext.example", "AAAA").ShouldBe("2001:db8::7");
                Dig(server, transport, "long.example", "TXT").ShouldContain("zzzz");
            }
        }

        Dig(Pod.OutsideIp, "+notcp", "vip.example.ns.svc.cluster.local", "A").ShouldBe($"vip.example.\n{Vip}");
        Dig(Pod.OutsideIp, "+bufsize=512", "long.example", "TXT").ShouldContain("zzzz", customMessage: "cut over UDP, whole over TCP");
        Dig(Pod.OutsideIp, "+notcp", "headless.ns.svc.cluster.local", "A").Split('\n').Order().ShouldBe(["10.0.1.1", "10.0.1.2", "10.0.1.3"]);
        long asked = proxy.Stat("dns_proxy.requests");
        Dig(OtherServer, "+notcp", "ext.example", "A").ShouldBe("192.0.2.7");
        (proxy.Stat("dns_proxy.requests") - asked).ShouldBe(all ? 1 : 0, "servers that resolv.conf does not name");

        // By name, as an application does it: the resolver of libc, the address of the mesh, the listener that has it.
        _pod.Exec("sh", "-c", "echo hello | socat -t30 - TCP4:vip.example:9000").Trim().ShouldBe("service hello");
        Wait.Until(() => proxy.Stat($"tcp.{Vip}_9000.downstream_cx_total") == 1, () => proxy.Get("/stats"));

        plane.Set("2", [.. Mesh("10.0.0.6")]);
        Wait.Until(() => Dig(Pod.OutsideIp, "+notcp", "web.ns", "A") == "10.0.0.6", () => proxy.Log + plane.Said());
        await plane.DisposeAsync();
        Wait.Until(() => proxy.Stat("control_plane.connected_state") == 0, () => proxy.Log);
        Dig(Pod.OutsideIp, "+notcp", "web.ns", "A").ShouldBe("10.0.0.6");
        Dig(Pod.OutsideIp, "+tcp", "ext.example", "A").ShouldBe("192.0.2.7");
        proxy.Stat("dns_proxy.loops").ShouldBe(0);
        proxy.Stat("dns_proxy.send_errors").ShouldBe(0);
        plane.Refusals.ShouldBeEmpty();
    }

    /// <summary>Rules that exempt another user send the proxy's own questions back to it.</summary>
    [Theory]
    [InlineData("TRANSPARENT", "+notcp")]
    [InlineData("TRANSPARENT", "+tcp")]
    [InlineData("REDIRECT", "+tcp")]
    public void RulesThatCaptureTheProxy_EndInAFailureAndNotInALoop(string mode, string transport)
    {
        bool transparent = mode == "TRANSPARENT";
        _pod.Init("-m", mode, "--redirect-dns", "--capture-all-dns", "-b", "", "-i", "*", "--proxy-uid", "4711", "--proxy-gid", "4711", "--verify=off");
        using Sidecar proxy = Sidecar.Start(
            new Boot().Extension("DnsProxyOptions", $"enabled: true, transparent: {(transparent ? "true" : "false")}, upstreams: [{{address: {Pod.OutsideIp}}}]"),
            _pod.Name, capabilities: transparent ? "net_admin,+net_bind_service" : null);
        _pod.Exec("dig", "+tries=1", "+time=10", transport, $"@{Pod.OutsideIp}", "ext.example", "A").ShouldContain("status: ");
        Wait.Until(() => proxy.Stat("dns_proxy.pending") == 0, () => proxy.Get("/stats"));
        proxy.Stat("dns_proxy.loops").ShouldBeInRange(1, 4);
        proxy.Stat("dns_proxy.upstream_failures").ShouldBe(1);
    }

    [Fact]
    public void Transparent_AskedFromOutside_DoesNotAnswer()
    {
        Rules("TRANSPARENT", all: false);
        using Sidecar proxy = Sidecar.Start(new Boot().Extension("DnsProxyOptions", "enabled: true, transparent: true"), _pod.Name, capabilities: "net_admin,+net_bind_service");
        foreach (string address in new[] { Pod.Ip, Pod.Ip6 })
        {
            foreach (string transport in new[] { "+notcp", "+tcp" })
            {
                Should.Throw<InvalidOperationException>(() => Pod.In(_pod.Outside, () => Run.Must("dig", "+tries=1", "+time=1", transport, "-p", "15053", $"@{address}", "ext.example", "A")));
            }
        }

        _pod.Exec("dig", "+short", "+tries=1", "+time=8", "-p", "15053", "@127.0.0.1", "ext.example", "A").Trim().ShouldBe("192.0.2.7");
        proxy.Stat("dns_proxy.upstream_requests").ShouldBe(1);
    }

    [Fact]
    public void TransparentWithoutTheCapability_DoesNotStartAndSaysWhy()
    {
        (int exit, string said) = Sidecar.Refuse(new Boot().Extension("DnsProxyOptions", "enabled: true, transparent: true"), _pod.Name);
        exit.ShouldBe(1);
        said.ShouldContain("CAP_NET_ADMIN or CAP_NET_RAW");
    }

    private void Rules(string mode, bool all) => _pod.Init(
        ["-m", mode, "-b", "", "-i", "*", "--redirect-dns", "--dual-stack", .. all ? (string[])["--capture-all-dns"] : []]);

    private async Task<ControlPlane> PlaneAsync()
    {
        ControlPlane plane = await ControlPlane.StartAsync("unix:" + _folder.At("xds"));
        Run.Must("chmod", "0777", _folder.At("xds"));
        return plane;
    }

    private Sidecar Start(string mode, string api)
    {
        bool transparent = mode == "TRANSPARENT";
        const string source = "{ads: {}, resource_api_version: V3}";
        Boot boot = new Boot { Node = "{id: sidecar~10.77.0.2~pod.ns~ns.svc.cluster.local, cluster: test, metadata: {NAMESPACE: ns, DNS_CAPTURE: 'true'}}" }
            .Listen("virtualOutbound", 15001, Boot.Chain(Boot.Tcp("passthrough")), ", use_original_dst: true" + (transparent ? ", transparent: true" : ""), "0.0.0.0")
            .With(Boot.OriginalDst("passthrough"), Boot.Cluster("plane", [_folder.At("xds")]))
            .More($"dynamic_resources: {{ads_config: {{api_type: {api}, transport_api_version: V3, grpc_services: [{{envoy_grpc: {{cluster_name: plane}}}}]}}, lds_config: {source}, cds_config: {source}}}");
        if (transparent)
        {
            boot.Extension("DnsProxyOptions", "transparent: true");
        }

        return Sidecar.Start(boot, _pod.Name, capabilities: transparent ? "net_admin,+net_bind_service" : null);
    }

    private static IEnumerable<System.Text.Json.Nodes.JsonNode> Mesh(string web)
    {
        yield return XdsResources.NameTable(
            ("web.ns.svc.cluster.local", [web, "fd00::5"]), ("vip.example", [Vip]), ("*.wild.example", ["10.0.0.9"]),
            ("headless.ns.svc.cluster.local", ["10.0.1.1", "10.0.1.2", "10.0.1.3"]));
        System.Text.Json.Nodes.JsonObject listener = XdsResources.Listener($"{Vip}_9000", 9000, "service");
        listener["address"]!["socket_address"]!["address"] = Vip;
        listener["bind_to_port"] = new System.Text.Json.Nodes.JsonObject { ["value"] = false };
        listener["access_log"] = null;
        yield return listener;
        yield return XdsResources.StaticCluster("service", new System.Net.IPEndPoint(System.Net.IPAddress.Parse(Pod.OutsideIp), 9001));
    }

    private string Dig(string server, string transport, string name, string type) =>
        _pod.Exec("dig", "+short", "+tries=1", "+time=8", transport, $"@{server}", name, type).Trim();
}

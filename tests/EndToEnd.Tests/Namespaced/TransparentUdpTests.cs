using System.Net;
using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>UDP through TPROXY rules: every datagram goes where its sender wanted, and the answer comes from there.</summary>
public class TransparentUdpTests
{
    private const int EchoPort = 7007;
    private const string ByHand = "by hand";
    private const string ByInit = "meshl4-init";
    private static readonly int[] Sizes = [0, 1, 1472, 1500, 24001, 65507];

    /// <summary>dig itself refuses an answer from another address than the one it asked.</summary>
    [Theory]
    [InlineData(Pod.OutsideIp, ByHand)]
    [InlineData(Pod.OutsideIp6, ByHand)]
    [InlineData(Pod.OutsideIp, ByInit)]
    [InlineData(Pod.OutsideIp6, ByInit)]
    public void RealDns_AnswersFromTheServerThatWasAsked(string server, string rules)
    {
        using Pod pod = new();
        Write(rules, pod, 53);
        using Peer dns = Peer.Dns(pod.Outside, "--host-record=service.mesh,192.0.2.7,2001:db8::7", $"--txt-record=long.mesh,{new string('x', 200)},{new string('y', 200)}");
        using Sidecar proxy = Sidecar.Start(Transparent(server, "udp"), pod.Name, capabilities: "net_admin,+net_bind_service");
        Dig(pod, server, "service.mesh", "A").ShouldBe("192.0.2.7");
        Dig(pod, server, "service.mesh", "AAAA").ShouldBe("2001:db8::7");
        Dig(pod, server, "long.mesh", "TXT").ShouldContain("yyyy");
        proxy.Stat("udp.udp.downstream_sess_rx_datagrams").ShouldBe(3);
        Wait.Until(() => proxy.Stat("udp.udp.downstream_sess_tx_datagrams") == 3, () => proxy.Get("/stats"));
        proxy.Terminate();
        proxy.ExitCode().ShouldBe(0);
        proxy.Logged("listener=udp", $"local={Text(server, 53)} ").ShouldContain($"host={Text(server, 53)} ");
    }

    [Theory]
    [InlineData(Pod.OutsideIp, "net_admin", ByHand)]
    [InlineData(Pod.OutsideIp, "net_raw", ByHand)]
    [InlineData(Pod.OutsideIp6, "net_admin", ByHand)]
    [InlineData(Pod.OutsideIp6, "net_raw", ByHand)]
    [InlineData(Pod.OutsideIp, "net_admin", ByInit)]
    [InlineData(Pod.OutsideIp6, "net_admin", ByInit)]
    public void DatagramsOfEverySize_ComeBackWholeFromTheOriginalDestination(string server, string capability, string rules)
    {
        using Pod pod = new();
        Write(rules, pod, EchoPort);
        using UdpEcho echo = new(pod.Outside, EchoPort);
        using Sidecar proxy = Sidecar.Start(Transparent(server, "udp"), pod.Name, capabilities: capability);
        using Socket client = UdpClients.Open(pod.Name, server);
        foreach (int size in Sizes)
        {
            UdpClients.Echoes(client, server, EchoPort, size);
        }

        proxy.Stat("udp.udp.downstream_rx_datagram_dropped").ShouldBe(0);
        proxy.Stat("udp.udp.reply_sockets").ShouldBe(1);
    }

    /// <summary>An answer from port 53 is a bind to port 53.</summary>
    [Fact]
    public void PrivilegedPortWithoutCapability_SaysWhatIsMissing()
    {
        using Pod pod = new();
        TransparentRules.Outbound(pod, 53);
        using Sidecar proxy = Sidecar.Start(Transparent(Pod.OutsideIp, "udp"), pod.Name, capabilities: "net_admin");
        using Socket client = UdpClients.Open(pod.Name, Pod.OutsideIp);
        client.SendTo(new byte[10], new IPEndPoint(IPAddress.Parse(Pod.OutsideIp), 53));
        proxy.Logged("details=udp_reply_socket_failure").ShouldContain("failure=Permission denied: CAP_NET_BIND_SERVICE is needed to answer from port 53 ");
        proxy.Stat("udp.udp.reply_socket_failures").ShouldBe(1);
    }

    [Fact]
    public void OneClientTwoDestinations_AreTwoSessionsAndBothFamiliesShareADualStackListener()
    {
        using Pod pod = new();
        TransparentRules.Outbound(pod, EchoPort, EchoPort + 1);
        using UdpEcho first = new(pod.Outside, EchoPort);
        using UdpEcho second = new(pod.Outside, EchoPort + 1);
        Boot boot = new Boot().ListenUdp("udp", 15001, "passthrough", ", transparent: true", "::", "8s", ", ipv4_compat: true").With(Boot.OriginalDst("passthrough"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name, capabilities: "net_admin");
        foreach (string server in new[] { Pod.OutsideIp, Pod.OutsideIp6 })
        {
            // On a link that has just come up the first neighbour discovery may take longer than a session may be idle here.
            Call.Ask(9, "x", server, pod.Name).ShouldBeNull();
            using Socket client = UdpClients.Open(pod.Name, server);
            UdpClients.Echoes(client, server, EchoPort, 100);
            UdpClients.Echoes(client, server, EchoPort + 1, 200);
            UdpClients.Echoes(client, server, EchoPort, 300);
        }

        IReadOnlyList<string> sessions = proxy.LoggedLines(4, "details=udp_session_idle_timeout");
        sessions.Count(line => line.Contains("in=400 out=400 ")).ShouldBe(2);
        sessions.Count(line => line.Contains("in=200 out=200 ")).ShouldBe(2);
        Wait.Until(() => proxy.Stat("udp.udp.reply_sockets") == 0, "reply sockets stay open");
        proxy.Stat("meshl4.udp_sessions").ShouldBe(0);
    }

    /// <summary>Each belongs to a session, and sessions are bounded: whoever comes later is dropped and counted, and those who are served go on.</summary>
    [Fact]
    public void MoreClientsThanSessions_OpenNoMoreReplySockets()
    {
        using Pod pod = new();
        TransparentRules.Outbound(pod, EchoPort);
        using UdpEcho echo = new(pod.Outside, EchoPort);
        Boot boot = new Boot().ListenUdp("udp", 15001, "passthrough", ", transparent: true", "0.0.0.0")
            .With(Boot.OriginalDst("passthrough", ", circuit_breakers: {thresholds: [{max_connections: 2}]}"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name, capabilities: "net_admin");
        using Socket first = UdpClients.Open(pod.Name, Pod.OutsideIp);
        using Socket second = UdpClients.Open(pod.Name, Pod.OutsideIp);
        using Socket late = UdpClients.Open(pod.Name, Pod.OutsideIp);
        UdpClients.Echoes(first, Pod.OutsideIp, EchoPort, 100);
        UdpClients.Echoes(second, Pod.OutsideIp, EchoPort, 100);
        late.SendTo(new byte[10], new IPEndPoint(IPAddress.Parse(Pod.OutsideIp), EchoPort));
        Wait.Until(() => proxy.Stat("udp.udp.downstream_rx_datagram_dropped") == 1, "the datagram was dropped");
        proxy.Stat("udp.udp.reply_sockets").ShouldBe(2);
        UdpClients.Echoes(first, Pod.OutsideIp, EchoPort, 200);
    }

    [Theory]
    [InlineData(Pod.Ip, Pod.OutsideIp, "127.0.0.6")]
    [InlineData(Pod.Ip6, Pod.OutsideIp6, "::6")]
    public void Inbound_TheApplicationStillGetsWhatTheProxyForwards(string address, string outside, string from)
    {
        using Pod pod = new();
        pod.Exec("ip", "addr", "add", "::6/128", "dev", "lo", "nodad");
        TransparentRules.Inbound(pod, EchoPort);
        using UdpEcho app = new(pod.Name, EchoPort + 1, address);
        Boot boot = new Boot()
            .ListenUdp("udp", 15001, "app", ", transparent: true", address.Contains(':') ? "::" : "0.0.0.0")
            .With(Boot.Cluster("app", [Text(address, EchoPort + 1)], $", upstream_bind_config: {{source_address: {{address: '{from}', port_value: 0}}}}"));
        using Sidecar proxy = Sidecar.Start(boot, pod.Name, capabilities: "net_admin");
        using Socket client = UdpClients.Open(pod.Outside, outside);
        UdpClients.Echoes(client, address, EchoPort, 1000);
        UdpClients.Echoes(client, address, EchoPort, 1001);
        app.LastPeer!.Address.ShouldBe(IPAddress.Parse(from));
    }

    [Fact]
    public void DatagramToTheProxyItself_IsRefusedAndDoesNotLoop()
    {
        using Pod pod = new();
        using Sidecar proxy = Sidecar.Start(Transparent(Pod.Ip, "udp"), pod.Name, capabilities: "net_admin");
        using Socket client = UdpClients.Open(pod.Name, Pod.Ip);
        client.SendTo(new byte[10], new IPEndPoint(IPAddress.Parse(Pod.Ip), 15001));
        proxy.Logged("details=loop_guard_own_listener").ShouldContain("flags=LR ");
        Wait.Until(() => proxy.Stat("udp.udp.dropped_no_session") == 1, () => proxy.Get("/stats"));
    }

    /// <summary>Rules that do not exempt the proxy send its own datagrams back to it.</summary>
    [Fact]
    public void OwnDatagramsThatComeBack_AreRefused()
    {
        using Pod pod = new();
        TransparentRules.Outbound(pod, EchoPort);
        pod.Exec("nft", "flush chain inet byhand out; add rule inet byhand out oifname eth0 udp dport 7007 meta mark set 1337");
        using Sidecar proxy = Sidecar.Start(Transparent(Pod.OutsideIp, "udp"), pod.Name, capabilities: "net_admin");
        using Socket client = UdpClients.Open(pod.Name, Pod.OutsideIp);
        client.SendTo(new byte[10], new IPEndPoint(IPAddress.Parse(Pod.OutsideIp), EchoPort));
        proxy.Logged("details=loop_guard_own_upstream").ShouldContain("flags=LR ");
        proxy.Stat("meshl4.udp_sessions").ShouldBe(1);
    }

    private static void Write(string rules, Pod pod, int port)
    {
        if (rules == ByInit)
        {
            pod.Init("apply", "-m", "TRANSPARENT", "-i", "*", "--capture-udp", $"{port}", "--verify", "off");
        }
        else
        {
            TransparentRules.Outbound(pod, port);
        }
    }

    private static Boot Transparent(string server, string name) => new Boot()
        .ListenUdp(name, 15001, "passthrough", ", transparent: true", server.Contains(':') ? "::" : "0.0.0.0")
        .With(Boot.OriginalDst("passthrough"));

    private static string Dig(Pod pod, string server, string name, string type) =>
        pod.Exec("dig", "+short", "+tries=1", "+time=5", $"@{server}", name, type).Trim();

    private static string Text(string address, int port) => address.Contains(':') ? $"[{address}]:{port}" : $"{address}:{port}";
}

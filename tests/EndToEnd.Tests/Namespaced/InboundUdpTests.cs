using System.Net;
using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// UDP into the pod in transparent mode: rules of the real init container, both listeners of the real proxy, and a real server that knows
/// nothing of either. The datagram reaches it from the passthrough's address, and the answer reaches the client from where it asked.
/// </summary>
public class InboundUdpTests
{
    private const int EchoPort = 7007;
    private const int Uncaptured = 7008;
    private static readonly int[] Sizes = [0, 1, 1472, 1500, 24001, 65507];

    /// <summary>dig itself refuses an answer from another address than the one it asked.</summary>
    [Theory]
    [InlineData(Pod.Ip, "53")]
    [InlineData(Pod.Ip6, "53")]
    [InlineData(Pod.Ip, "*")]
    [InlineData(Pod.Ip6, "*")]
    public void RealDnsServerInThePod_AnswersThroughTheProxyFromItsOwnAddress(string server, string captured)
    {
        using Pod pod = new();
        Init(pod, captured);
        using Peer dns = Peer.Dns(pod.Name, "--host-record=service.mesh,192.0.2.7,2001:db8::7", $"--txt-record=long.mesh,{new string('x', 200)},{new string('y', 200)}");
        using Sidecar proxy = Start(pod, server, "net_admin,+net_bind_service");
        Dig(pod, server, "service.mesh", "A").ShouldBe("192.0.2.7");
        Dig(pod, server, "service.mesh", "AAAA").ShouldBe("2001:db8::7");
        Dig(pod, server, "long.mesh", "TXT").ShouldContain("yyyy");
        proxy.Stat("udp.inbound.downstream_sess_rx_datagrams").ShouldBe(3);
        Wait.Until(() => proxy.Stat("udp.inbound.downstream_sess_tx_datagrams") == 3, () => proxy.Get("/stats"));
        proxy.Stat("udp.outbound.downstream_sess_rx_datagrams").ShouldBe(0);
        proxy.Terminate();
        proxy.ExitCode().ShouldBe(0);
        proxy.Logged("listener=inbound", $"local={Text(server, 53)} ").ShouldContain($"host={Text(server, 53)} ");
    }

    /// <summary>The server has its port to itself, as most have: answers beside it are written by hand.</summary>
    [Theory]
    [InlineData(Pod.Ip, Pod.OutsideIp, "127.0.0.6", "7007")]
    [InlineData(Pod.Ip6, Pod.OutsideIp6, "::6", "7007")]
    [InlineData(Pod.Ip, Pod.OutsideIp, "127.0.0.6", "*")]
    [InlineData(Pod.Ip6, Pod.OutsideIp6, "::6", "*")]
    public void DatagramsOfEverySize_BothWaysAtOnce_ComeBackWholeFromWhereTheyWent(string inside, string outside, string passthrough, string captured)
    {
        using Pod pod = new();
        Init(pod, captured);
        using UdpEcho application = new(pod.Name, EchoPort, inside);
        using UdpEcho world = new(pod.Outside, EchoPort, outside);
        using Sidecar proxy = Start(pod, inside, "net_raw");
        using Socket comesIn = UdpClients.Open(pod.Outside, inside);
        using Socket goesOut = UdpClients.Open(pod.Name, inside);
        foreach (int size in Sizes)
        {
            UdpClients.Echoes(comesIn, inside, EchoPort, size);
            UdpClients.Echoes(goesOut, outside, EchoPort, size);
        }

        application.LastPeer!.Address.ShouldBe(IPAddress.Parse(passthrough));
        proxy.Stat("udp.inbound.downstream_sess_rx_datagrams").ShouldBe(Sizes.Length);
        proxy.Stat("udp.outbound.downstream_sess_rx_datagrams").ShouldBe(Sizes.Length);
        proxy.Stat("udp.inbound.downstream_rx_datagram_dropped").ShouldBe(0);
        proxy.Stat("udp.inbound.downstream_sess_tx_errors").ShouldBe(0);
        proxy.Stat("udp.inbound.reply_sockets").ShouldBe(1);
    }

    [Theory]
    [InlineData(Pod.Ip)]
    [InlineData(Pod.Ip6)]
    public void PortThatIsNotCaptured_IsAnsweredByTheServerItself(string inside)
    {
        using Pod pod = new();
        Init(pod, $"{EchoPort}");
        using UdpEcho application = new(pod.Name, Uncaptured, inside);
        using Sidecar proxy = Start(pod, inside, "net_admin");
        using Socket client = UdpClients.Open(pod.Outside, inside);
        UdpClients.Echoes(client, inside, Uncaptured, 100);
        application.LastPeer!.ShouldBe(new IPEndPoint(IPAddress.Parse(inside.Contains(':') ? Pod.OutsideIp6 : Pod.OutsideIp), ((IPEndPoint)client.LocalEndPoint!).Port));
        proxy.Stat("udp.inbound.downstream_sess_rx_datagrams").ShouldBe(0);
    }

    [Theory]
    [InlineData(Pod.Ip)]
    [InlineData(Pod.Ip6)]
    public void PortOfTheServerAloneAndNoRawSocket_SaysWhatIsMissing(string inside)
    {
        using Pod pod = new();
        Init(pod, $"{EchoPort}");
        using UdpEcho application = new(pod.Name, EchoPort, inside);
        using Sidecar proxy = Start(pod, inside, "net_admin");
        using Socket client = UdpClients.Open(pod.Outside, inside);
        client.SendTo(new byte[10], new IPEndPoint(IPAddress.Parse(inside), EchoPort));
        proxy.Logged("details=udp_reply_socket_failure").ShouldContain(
            "failure=Address already in use: a program of this pod has port 7007 to itself (no SO_REUSEADDR), and beside it CAP_NET_RAW is needed to answer ");
        proxy.Stat("udp.inbound.reply_socket_failures").ShouldBe(1);
        application.LastPeer.ShouldBeNull();
    }

    /// <summary>What asks from 127.0.0.1 or ::1 stays in the pod.</summary>
    [Theory]
    [InlineData("127.0.0.1", Pod.Ip)]
    [InlineData("::1", Pod.Ip6)]
    public void WithinThePod_NothingIsCaptured(string loopback, string inside)
    {
        using Pod pod = new();
        Init(pod, "*");
        using UdpEcho application = new(pod.Name, EchoPort);
        using Sidecar proxy = Start(pod, inside, "net_admin");
        using Socket client = UdpClients.Open(pod.Name, inside);
        UdpClients.Echoes(client, loopback, EchoPort, 10);
        UdpClients.Echoes(client, inside, EchoPort, 10);
        proxy.Stat("udp.inbound.downstream_sess_rx_datagrams").ShouldBe(0);
        proxy.Stat("udp.outbound.downstream_sess_rx_datagrams").ShouldBe(0);
    }

    private static void Init(Pod pod, string captured) => pod.Init("apply", "-m", "TRANSPARENT", "-b", "*", "-i", "*", "--capture-udp", captured, "--verify", "off");

    // The inbound passthrough dials from an address that the rules let by.
    private static Sidecar Start(Pod pod, string inside, string capabilities)
    {
        bool v6 = inside.Contains(':');
        string any = v6 ? "::" : "0.0.0.0";
        return Sidecar.Start(
            new Boot().ListenUdp("inbound", 15006, "inbound_passthrough", ", transparent: true", any).ListenUdp("outbound", 15001, "passthrough", ", transparent: true", any)
                .With(Boot.OriginalDst("passthrough"), Boot.OriginalDst("inbound_passthrough", $", upstream_bind_config: {{source_address: {{address: '{(v6 ? "::6" : "127.0.0.6")}', port_value: 0}}}}")),
            pod.Name, capabilities: capabilities);
    }

    private static string Dig(Pod pod, string server, string name, string type) =>
        NetworkNamespace.In(pod.Outside, () => Run.Must("dig", "+short", "+tries=1", "+time=8", $"@{server}", name, type)).Trim();

    private static string Text(string address, int port) => address.Contains(':') ? $"[{address}]:{port}" : $"{address}:{port}";
}

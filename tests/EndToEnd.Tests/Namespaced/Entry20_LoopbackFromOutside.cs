using System.Net;
using System.Net.Sockets;
using MeshL4.EndToEnd.Tests.Behaviours.Stage;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.EndToEnd.Tests.Namespaced;

/// <summary>
/// Entry 20: what listens on loopback (the admin API) is out of reach of the network. No mode changes a kernel setting to work, no packet
/// to a loopback address is answered, and those modes that bring packets in by policy routing drop them themselves, should
/// somebody have switched route_localnet on.
/// </summary>
public sealed class Entry20_LoopbackFromOutside
{
    private const int Public = 15090;
    private const int FirstSource = 20000;
    private const int Sync = 30000;
    private static readonly int[] Ports = [7100, 15000, 15001, 15006, 15053, Public];
    private static readonly string[] Loopback = ["127.0.0.1", "127.0.0.6", "127.9.9.9", "::1"];

    [Theory]
    [InlineData("REDIRECT", "")]
    [InlineData("TPROXY", "")]
    [InlineData("TRANSPARENT", "")]
    [InlineData("REDIRECT", "legacy")]
    [InlineData("TPROXY", "legacy")]
    public void Outside_EveryLoopbackAddress_GetsNoAnswerAndNoSettingIsChanged(string mode, string iptables)
    {
        using Pod pod = new();
        string before = Settings(pod);
        Init(pod, mode, iptables);
        Settings(pod).ShouldBe(before);
        Answered(pod).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("TPROXY", "")]
    [InlineData("TRANSPARENT", "")]
    [InlineData("TPROXY", "nft")]
    [InlineData("TPROXY", "legacy")]
    public void Outside_RouteLocalnetIsOn_ModesWithPolicyRoutingDropWhatItLetsIn(string mode, string iptables)
    {
        using Pod pod = new();
        RouteLocalnet(pod);
        Wait.Until(() => Answered(pod).Count > 0, "without rules route_localnet lets the network in: otherwise this test would show nothing");
        Init(pod, mode, iptables);
        Answered(pod).ShouldBeEmpty();
    }

    private static void Init(Pod pod, string mode, string iptables) => pod.Exec(
        [Path.Combine(AppContext.BaseDirectory, "meshl4-init"), "-b", "*", "-i", "*", "-d", $"{Public}", "-m", mode, "--verify=off", "--dual-stack", .. iptables.Length > 0 ? new[] { $"--force-iptables-binary={iptables}" } : []]);

    private static void RouteLocalnet(Pod pod) => pod.Exec("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet");

    private static string Settings(Pod pod) => pod.Exec("sh", "-c", "grep -rs . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf /proc/sys/net/ipv4/ip_forward /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal || true");

    // The loopback addresses whose ports answered a SYN from outside, in any way.
    private static List<string> Answered(Pod pod)
    {
        var listeners = Ports.Select(p => Pod.Listen(pod.Name, p)).ToList();
        try
        {
            listeners.ForEach(l => TransparentSocket.Enable((int)l.Handle, AddressFamily.InterNetworkV6));
            using var wire = new OutsideWire(pod);
            (string Address, int Port)[] targets = [.. from address in Loopback from port in Ports select (address, port)];
            for (int i = 0; i < targets.Length; i++)
            {
                wire.Send(Opening(FirstSource + i, targets[i].Address, targets[i].Port));
            }

            // What came before these is answered by now, whichever processor it went to.
            for (int i = 0; i < 8; i++)
            {
                wire.Send(Opening(Sync + i, Pod.Ip, Public));
            }

            List<Frame> frames = wire.ReadUntil(f => f.Destination.Port == Sync + 7 && f.Source.Port == Public);
            return [.. frames.Select(f => f.Destination.Port - FirstSource).Where(i => i >= 0 && i < targets.Length).Select(i => $"{targets[i]}").Distinct()];
        }
        finally
        {
            listeners.ForEach(l => l.Dispose());
        }
    }

    private static Frame Opening(int port, string to, int toPort) => new(Transports.Tcp,
        new IPEndPoint(IPAddress.Parse(to.Contains(':') ? Pod.OutsideIp6 : Pod.OutsideIp), port), new IPEndPoint(IPAddress.Parse(to), toPort), Frame.Syn, 1000);
}

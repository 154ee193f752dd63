using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Transparent;

/// <summary>What packets taught the rules of transparent mode outlives these rules: connections and conversations go on.</summary>
public class LearnedPortsTests
{
    private const int Excluded = 7002;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly RedirectOptions Options = Flags.Options(
        ("istio-inbound-ports", "*"), ("istio-local-exclude-ports", "15090"), ("istio-service-cidr", "*"), ("istio-local-outbound-ports-exclude", $"{Excluded}"))
        with
    { Mode = InterceptionMode.Transparent, UdpPorts = new PortChoice(true, new PortSet([])) };

    private static readonly RedirectOptions Others = Options with { OutboundExcludedPorts = new PortSet([new PortRange(Excluded, Excluded), new PortRange(7009, 7009)]) };

    private static RuleSetter Setter => new(new CommandRunner(), Options);

    [Fact]
    public void PutBack_ConnectionBeganUnderTheRulesThatGo_GoesOn()
    {
        using var pod = new Pod();
        Apply(pod, Options);
        Action putBack = pod.In(Setter.Remember);
        Apply(pod, Others);
        using Socket stats = Pod.Listen(pod.Name, 15090);
        using Socket client = Pod.Connect(pod.Outside, Pod.Ip, 15090);
        using Socket server = Pod.Accept(stats);
        PutBack(pod, putBack);
        server.Send([1]);
        client.Poll(Patience, SelectMode.SelectRead).ShouldBeTrue("the answer of a server that no rule captures");
    }

    // The earlier rules may know no such set.
    [Fact]
    public void PutBack_RulesThatLearnNothing_ComeBack()
    {
        using var pod = new Pod();
        Apply(pod, Options with { Mode = InterceptionMode.Redirect, UdpPorts = new PortChoice(false, new PortSet([])) });
        string before = pod.Exec("nft", "-s", "list", "ruleset");
        Action putBack = pod.In(Setter.Remember);
        Apply(pod, Options);
        Learned(pod, "direct_udp", Ask(pod, out _).LocalPort);
        PutBack(pod, putBack);
        pod.Exec("nft", "-s", "list", "ruleset").ShouldBe(before);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Datagram_AnsweredAfterRulesWereReplacedOrPutBack_ReachesWhoAsked(bool putBack)
    {
        using var pod = new Pod();
        Apply(pod, Options);
        Action back = pod.In(Setter.Remember);
        if (putBack)
        {
            Apply(pod, Others);
        }

        (Socket client, int port) = Ask(pod, out Socket server);
        Learned(pod, "direct_udp", port);
        if (putBack)
        {
            PutBack(pod, back);
        }
        else
        {
            Apply(pod, Others);
        }

        server.SendTo([1], new IPEndPoint(IPAddress.Parse(Pod.Ip), port));
        client.Poll(Patience, SelectMode.SelectRead).ShouldBeTrue("the answer to a datagram that no rule captures");
        client.Dispose();
        server.Dispose();
    }

    private static void Apply(Pod pod, RedirectOptions options) => pod.In(() => Setter.Apply(RedirectPlanner.Plan(options))).Written.ShouldBeTrue();

    private static void PutBack(Pod pod, Action putBack) => pod.In(() =>
    {
        putBack();
        return 0;
    });

    private static void Learned(Pod pod, string set, int port) => pod.Exec("nft", "list", "set", "inet", "meshl4", set).ShouldContain($"{port} expires");

    private static (Socket Client, int LocalPort) Ask(Pod pod, out Socket server)
    {
        server = Bound(pod.Outside, Excluded);
        Socket client = Bound(pod.Name, 0);
        client.SendTo([1], new IPEndPoint(IPAddress.Parse(Pod.OutsideIp), Excluded));
        server.Poll(Patience, SelectMode.SelectRead).ShouldBeTrue();
        return (client, ((IPEndPoint)client.LocalEndPoint!).Port);
    }

    private static Socket Bound(string ns, int port) => Pod.In(ns, () =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Any, port));
        return socket;
    });
}

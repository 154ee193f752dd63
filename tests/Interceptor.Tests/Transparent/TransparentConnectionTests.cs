using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Capture;
using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Transparent;

/// <summary>Whole connections through the rules of transparent mode: what rules for single packets could get wrong.</summary>
public class TransparentConnectionTests
{
    private const int Many = 1000;
    private const int Large = 4 << 20;

    private static readonly RedirectOptions Options = Flags.Options(
        ("istio-inbound-ports", "*"), ("istio-local-exclude-ports", "15090"), ("istio-service-cidr", "*"), ("istio-local-outbound-ports-exclude", "7002"))
        with
    { Mode = InterceptionMode.Transparent };

    [Theory]
    [InlineData("10.77.0.1", "10.77.0.2")]
    [InlineData("fd77::1", "fd77::2")]
    public void ThousandConnections_BothWays_LeaveNoEntryInTheConnectionTable(string outside, string inside)
    {
        using var pod = new Pod();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        using Socket outbound = Transparent(pod, 15001);
        using Socket inbound = Transparent(pod, 15006);
        for (int i = 0; i < Many / 2; i++)
        {
            Exchange(pod.Name, outside, 7001, outbound).ShouldBe(new IPEndPoint(IPAddress.Parse(outside), 7001));
            Exchange(pod.Outside, inside, 8080, inbound).ShouldBe(new IPEndPoint(IPAddress.Parse(inside), 8080));
        }

        pod.Exec("conntrack", "-C").Trim().ShouldBe("0");
        pod.Exec("nft", "list", "ruleset").ShouldNotContain("nat");
    }

    [Theory]
    [InlineData("10.77.0.2")]
    [InlineData("fd77::2")]
    public void Inbound_OfPortsThatAreNotCaptured_IsAnsweredAndRefusedAsWithoutRules(string inside)
    {
        using var pod = new Pod();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        using Socket stats = Pod.Listen(pod.Name, 15090);
        using Socket client = Pod.Connect(pod.Outside, inside, 15090);
        using Socket server = Pod.Accept(stats);
        Send(server, Large);
        Drain(client).ShouldBe(Large);
        Should.Throw<SocketException>(() => Pod.Connect(pod.Outside, inside, 15008)).SocketErrorCode.ShouldBe(SocketError.ConnectionRefused);
    }

    // The process is gone long before the kernel has sent what it wrote: the rest has no owner, and belongs to the same connection.
    [Theory]
    [InlineData("10.77.0.1", 7001, true)]
    [InlineData("fd77::1", 7001, true)]
    [InlineData("10.77.0.1", 7002, false)]
    [InlineData("fd77::1", 7002, false)]
    public void Outbound_ProcessThatEndedAtOnce_LosesNothing(string outside, int port, bool captured)
    {
        using var pod = new Pod();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        using Socket peer = captured ? Transparent(pod, 15001) : Pod.Listen(pod.Outside, port);
        Socket client = Pod.Connect(pod.Name, outside, port);
        using Socket accepted = Pod.Accept(peer);
        int sent = Fill(client);
        client.Close();
        Drain(accepted).ShouldBe(sent);
    }

    [Fact]
    public void Apply_OtherRules_ConnectionsThatWereLeftAloneGoOn()
    {
        using var pod = new Pod();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        using Socket stats = Pod.Listen(pod.Name, 15090);
        using Socket client = Pod.Connect(pod.Outside, Pod.Ip, 15090);
        using Socket server = Pod.Accept(stats);
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options with { OutboundExcludedPorts = PortSet.Single(7009) }))).Written.ShouldBeTrue();
        Send(server, Large);
        Drain(client).ShouldBe(Large);
    }

    // The kernel gives a port that was served to whoever connects next: what came in by it says nothing of what goes out.
    [Fact]
    public void Outbound_FromAPortThatServedBefore_IsCaptured()
    {
        using var pod = new Pod();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        using (Socket stats = Pod.Listen(pod.Name, 15090))
        using (Socket scrape = Pod.Connect(pod.Outside, Pod.Ip, 15090))
        using (Socket served = Pod.Accept(stats))
        {
            served.LingerState = new LingerOption(true, 0);
        }

        pod.Exec("nft", "list", "ruleset").ShouldContain("elements = { 15090 }", customMessage: "the port must have been learned");
        using Socket proxy = Transparent(pod, 15001);
        using Socket client = ConnectFrom(pod.Name, 15090, Pod.OutsideIp, 7001);
        using Socket accepted = Pod.Accept(proxy);
        ((IPEndPoint)accepted.RemoteEndPoint!).Port.ShouldBe(15090);
    }

    // With NAT the source port is rewritten when two destinations share one, and a later reuse resets the first connection.
    [Fact]
    public void Outbound_OneSourcePortToTwoDestinations_KeepsBothConnections()
    {
        using var pod = new Pod();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        using Socket inbound = Transparent(pod, 15006);
        var peers = new List<int>();
        var open = new List<Socket>();
        foreach (int port in new[] { 5000, 5002, 5003 })
        {
            open.Add(ConnectFrom(pod.Outside, 40000, Pod.Ip, port));
            open.Add(Pod.Accept(inbound));
            peers.Add(((IPEndPoint)open[^1].RemoteEndPoint!).Port);
        }

        peers.ShouldBe([40000, 40000, 40000]);
        for (int i = 0; i < open.Count; i += 2)
        {
            Send(open[i], 1);
            open[i + 1].Receive(new byte[8]).ShouldBe(1);
        }

        open.ForEach(s => s.Dispose());
    }

    [Fact]
    public void Cleanup_AfterTransparentMode_LeavesNothingBehind()
    {
        using var pod = new Pod();
        string before = State(pod);
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options))).Written.ShouldBeTrue();
        State(pod).ShouldNotBe(before);
        using Socket stats = Pod.Listen(pod.Name, 15090);
        using Socket scrape = Pod.Connect(pod.Outside, Pod.Ip, 15090);
        pod.Exec("nft", "list", "ruleset").ShouldContain("elements = { 15090 }", customMessage: "the port that a server accepts on is learned");
        pod.In(() => Setter().Diff(RedirectPlanner.Plan(Options))).ShouldBeEmpty();
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options))).Written.ShouldBeFalse();
        pod.In(() => Setter().Cleanup());
        State(pod).ShouldBe(before);
    }

    [Fact]
    public void Apply_RedirectAfterTransparent_LeavesNoTableAndNoRouteOfTheOtherMode()
    {
        using var pod = new Pod();
        RedirectPlan redirect = RedirectPlanner.Plan(Options with { Mode = InterceptionMode.Redirect });
        pod.In(() => Setter().Apply(redirect));
        string before = State(pod);
        pod.In(() => Setter().Apply(RedirectPlanner.Plan(Options)));
        pod.In(() => Setter().Apply(redirect));
        State(pod).ShouldBe(before);
    }

    private static RuleSetter Setter() => new(new CommandRunner(), Options);

    // A link-local address appears when the kernel has seen that nobody else has it, some time after the interface is up.
    private static string State(Pod pod) => string.Join('\n', All(pod).Split('\n').Where(l => !l.Contains("fe80:", StringComparison.Ordinal)));

    private static string All(Pod pod) => string.Concat(new[]
    {
        "nft -s list ruleset", "ip rule", "ip -6 rule", "ip route show table all", "ip -6 route show table all", "ip -6 addr show dev lo",
    }.Select(command => pod.Exec(command.Split(' '))));

    private static Socket Transparent(Pod pod, int port) => Pod.In(pod.Name, () =>
    {
        var socket = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        TransparentSocket.Enable((int)socket.Handle, AddressFamily.InterNetworkV6);
        socket.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        socket.Listen(16);
        return socket;
    });

    private static IPEndPoint Exchange(string ns, string address, int port, Socket listener)
    {
        using Socket client = Pod.Connect(ns, address, port);
        using Socket accepted = Pod.Accept(listener);
        Send(client, 1);
        accepted.Receive(new byte[8]).ShouldBe(1);
        Send(accepted, 2);
        client.Receive(new byte[8]).ShouldBe(2);
        var local = (IPEndPoint)accepted.LocalEndPoint!;
        // Reset: ports are reused here more often than TIME_WAIT allows.
        client.LingerState = new LingerOption(true, 0);
        return new IPEndPoint(local.Address.IsIPv4MappedToIPv6 ? local.Address.MapToIPv4() : local.Address, local.Port);
    }

    private static Socket ConnectFrom(string ns, int from, string address, int port) => Pod.In(ns, () =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Any, from));
        socket.Connect(IPAddress.Parse(address), port);
        return socket;
    });

    private static void Send(Socket socket, int count)
    {
        _ = Task.Run(() =>
        {
            for (int sent = 0; sent < count;)
            {
                sent += socket.Send(new byte[Math.Min(count - sent, 1 << 16)]);
            }

            if (count == Large)
            {
                socket.Shutdown(SocketShutdown.Send);
            }
        });
    }

    // As much as the kernel takes without anybody reading.
    private static int Fill(Socket socket)
    {
        socket.Blocking = false;
        int sent = 0;
        try
        {
            while (true)
            {
                sent += socket.Send(new byte[1 << 16]);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
        {
            return sent;
        }
    }

    private static int Drain(Socket socket)
    {
        socket.ReceiveTimeout = 60_000;
        byte[] buffer = new byte[1 << 16];
        int total = 0;
        for (int n; (n = socket.Receive(buffer)) > 0;)
        {
            total += n;
        }

        return total;
    }
}

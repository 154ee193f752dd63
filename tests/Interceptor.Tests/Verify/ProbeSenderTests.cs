using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Verify;

public class ProbeSenderTests
{
    [Fact]
    public void NewsOf_DatagramOfAStrangerComesFirst_TheAnswerIsFoundBehindIt()
    {
        using Socket server = Bound(SocketType.Dgram, ProtocolType.Udp);
        using Socket stranger = Bound(SocketType.Dgram, ProtocolType.Udp);
        using var sender = new ProbeSender();
        IPEndPoint source = Send(sender, Transports.Udp, server);
        stranger.SendTo([1], source);
        sender.NewsOf(Transports.Udp, source).ShouldBe(SocketNews.None);
        stranger.SendTo([1], source);
        server.SendTo([1], source);
        Until(sender, source, SocketNews.Answered, Transports.Udp);
        sender.NewsOf(Transports.Udp, source).ShouldBe(SocketNews.Answered);
    }

    [Fact]
    public void NewsOf_NobodyListens_IsRefused()
    {
        using Socket bound = Bound(SocketType.Stream, ProtocolType.Tcp);
        using var sender = new ProbeSender();
        IPEndPoint source = Send(sender, Transports.Tcp, bound);
        Until(sender, source, SocketNews.Refused);
        sender.NewsOf(Transports.Tcp, source).ShouldBe(SocketNews.Refused);
    }

    // By a table of somebody else's: the pod's own refusal would say that the packet came to its port.
    [Fact]
    public void NewsOf_RejectedOnItsWay_IsNotRefused()
    {
        using var pod = new Pod();
        pod.Exec("nft", "add table inet foreign; add chain inet foreign c { type filter hook output priority 0; }; add rule inet foreign c tcp dport 7001 reject with icmpx type host-unreachable");
        using var sender = new ProbeSender();
        var source = new IPEndPoint(IPAddress.Parse(Pod.Ip), new SourcePorts().Next());
        pod.In(() => sender.Send(Transports.Tcp, source, new IPEndPoint(IPAddress.Parse(Pod.OutsideIp), 7001))).ShouldBe(0);
        const int EHOSTUNREACH = 113;
        Until(sender, source, new SocketNews(EHOSTUNREACH));
    }

    [Fact]
    public void NewsOf_TakenAndReset_IsNotRefused()
    {
        using Socket listener = Bound(SocketType.Stream, ProtocolType.Tcp);
        listener.Listen();
        using var sender = new ProbeSender();
        IPEndPoint source = Send(sender, Transports.Tcp, listener);
        Socket accepted = listener.Accept();
        sender.NewsOf(Transports.Tcp, source).ShouldBe(SocketNews.None);
        accepted.LingerState = new LingerOption(true, 0);
        accepted.Dispose();
        Until(sender, source, SocketNews.Reset);
    }

    [Fact]
    public void Send_PortIsTaken_SaysSo()
    {
        using Socket bound = Bound(SocketType.Stream, ProtocolType.Tcp);
        using var sender = new ProbeSender();
        const int EADDRINUSE = 98;
        sender.Send(Transports.Tcp, (IPEndPoint)bound.LocalEndPoint!, new IPEndPoint(IPAddress.Loopback, 1)).ShouldBe(EADDRINUSE);
    }

    [Fact]
    public void SourcePorts_AreNeverGivenTwice()
    {
        var ports = new SourcePorts();
        var given = new HashSet<int>();
        const int several = 2000;
        for (int i = 0; i < several; i++)
        {
            given.Add(ports.Next()).ShouldBeTrue();
        }

        given.ShouldAllBe(p => p >= 20000 && p < 50000);
    }

    [Fact]
    public void SourcePorts_OfSocketsOfThePod_ComeLast()
    {
        using var pod = new Pod();
        const int server = 20500, asker = 20501, other = 20502;
        using Socket listener = Pod.Listen(pod.Name, server);
        using Socket datagrams = pod.In(() =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(Pod.Ip), asker));
            return socket;
        });
        int[] inUse = pod.In(() => ConnectionTable.LocalPorts().ToArray());
        inUse.ShouldBe([server, asker], ignoreOrder: true);
        var ports = new SourcePorts(Enumerable.Range(20000, 30000).Except([other]).Concat(inUse));
        ports.Next().ShouldBe(other);
        ports.Next().ShouldNotBe(other);
    }

    [Fact]
    public void Patience_ProcessStoodStill_IsNotSpentByThat()
    {
        long second = System.Diagnostics.Stopwatch.Frequency;
        var patience = new Patience(TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(20));
        patience.Looked(0);
        patience.IsSpent.ShouldBeFalse();
        patience.Looked(10 * second);
        patience.Looked(20 * second);
        patience.IsSpent.ShouldBeFalse();
        patience.Looked((20 * second) + (second / 100));
        patience.IsSpent.ShouldBeTrue();
    }

    private static IPEndPoint Send(ProbeSender sender, Transports transport, Socket to)
    {
        var ports = new SourcePorts();
        IPEndPoint source;
        do
        {
            source = new IPEndPoint(IPAddress.Loopback, ports.Next());
        }
        while (sender.Send(transport, source, (IPEndPoint)to.LocalEndPoint!) != 0);
        return source;
    }

    private static void Until(ProbeSender sender, IPEndPoint source, SocketNews expected, Transports transport = Transports.Tcp)
    {
        const int attempts = 3000;
        for (int i = 0; i < attempts && sender.NewsOf(transport, source) != expected; i++)
        {
            Thread.Sleep(10);
        }

        sender.NewsOf(transport, source).ShouldBe(expected);
    }

    private static Socket Bound(SocketType type, ProtocolType protocol)
    {
        var socket = new Socket(AddressFamily.InterNetwork, type, protocol);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }
}

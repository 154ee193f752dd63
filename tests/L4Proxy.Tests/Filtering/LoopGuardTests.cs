using System.Net;
using System.Net.Sockets;
using MeshL4.L4Proxy.Filtering;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Filtering;

public sealed class LoopGuardTests
{
    private readonly LoopGuard _guard = new();

    [Theory]
    [InlineData("0.0.0.0:15001", "127.0.0.1:15001", true)]
    [InlineData("0.0.0.0:15001", "127.9.9.9:15001", true)]
    [InlineData("0.0.0.0:15001", "127.0.0.1:15002", false)]
    [InlineData("0.0.0.0:15001", "192.0.2.1:15001", false)]
    [InlineData("127.0.0.1:15001", "127.0.0.2:15001", false)]
    [InlineData("127.0.0.1:15001", "127.0.0.1:15001", true)]
    [InlineData("[::]:15006", "[::1]:15006", true)]
    [InlineData("[::]:15006", "127.0.0.1:15006", false)]
    [InlineData("0.0.0.0:15006", "[::1]:15006", false)]
    [InlineData("127.0.0.1:15006", "[::ffff:127.0.0.1]:15006", true)]
    public void IsOwnListener_Target_IsToldFromOthers(string listener, string target, bool own)
    {
        _guard.Listening([(ProtocolType.Tcp, IPEndPoint.Parse(listener))]);
        _guard.IsOwnListener(ProtocolType.Tcp, IPEndPoint.Parse(target)).ShouldBe(own);
    }

    [Fact]
    public void IsOwnListener_SamePortOfTheOtherProtocol_IsAnothersSocket()
    {
        _guard.Listening([(ProtocolType.Udp, IPEndPoint.Parse("0.0.0.0:53"))]);
        _guard.IsOwnListener(ProtocolType.Udp, IPEndPoint.Parse("127.0.0.1:53")).ShouldBeTrue();
        _guard.IsOwnListener(ProtocolType.Tcp, IPEndPoint.Parse("127.0.0.1:53")).ShouldBeFalse();
    }

    [Fact]
    public void IsOwnUpstream_OpenedThenClosed_IsForgotten()
    {
        IPEndPoint local = IPEndPoint.Parse("127.0.0.6:40000");
        IPEndPoint target = IPEndPoint.Parse("10.0.0.1:80");
        _guard.IsOwnUpstream(ProtocolType.Tcp, local, target).ShouldBeFalse();
        _guard.Opened(ProtocolType.Tcp, local, target);
        _guard.IsOwnUpstream(ProtocolType.Tcp, IPEndPoint.Parse("127.0.0.6:40000"), IPEndPoint.Parse("10.0.0.1:80")).ShouldBeTrue();
        _guard.IsOwnUpstream(ProtocolType.Tcp, local, IPEndPoint.Parse("10.0.0.2:80")).ShouldBeFalse("an application may hold the same local port");
        _guard.Closed(ProtocolType.Tcp, local, target);
        _guard.IsOwnUpstream(ProtocolType.Tcp, local, target).ShouldBeFalse();
        _guard.IsOwnUpstream(ProtocolType.Tcp, null, target).ShouldBeFalse();
        _guard.Opened(ProtocolType.Udp, local, target);
        _guard.IsOwnUpstream(ProtocolType.Tcp, local, target).ShouldBeFalse("a datagram socket has ports of its own");
        _guard.IsOwnUpstream(ProtocolType.Udp, local, target).ShouldBeTrue();
    }

    [Fact]
    public void TryEnter_FromManyThreads_NeverLetsMoreIn()
    {
        var gate = new ConnectionGate(100);
        int entered = 0;
        Parallel.For(0, 1_000, _ => Interlocked.Add(ref entered, gate.TryEnter() ? 1 : 0));
        entered.ShouldBe(100);
        gate.Refused.ShouldBe(900);
        gate.Leave();
        gate.TryEnter().ShouldBeTrue();
        gate.TryEnter().ShouldBeFalse();
        gate.Active.ShouldBe(100);
    }
}

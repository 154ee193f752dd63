using System.Net;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Verify;

public class EvidenceTests
{
    private static readonly IPEndPoint Destination = new(IPAddress.Parse("192.0.2.77"), 80);
    private static readonly IPEndPoint Elsewhere = new(IPAddress.Parse("192.0.2.77"), 81);

    [Fact]
    public void Judge_Captured_NeedsThePortAndTheDestination()
    {
        Judge(15001, new Evidence(Fate.Arrived, 15001, Destination)).ShouldBe(CheckOutcome.Held);
        Judge(15001, new Evidence(Fate.Arrived, 15001)).ShouldBe(CheckOutcome.Held);
        Judge(15001, new Evidence(Fate.Arrived, 15001, Elsewhere)).ShouldBe(CheckOutcome.Broken);
        Judge(15001, new Evidence(Fate.Arrived, 15006, Destination)).ShouldBe(CheckOutcome.Broken);
        Judge(15001, new Evidence(Fate.Left, 0, Destination)).ShouldBe(CheckOutcome.Broken);
        Judge(15001, new Evidence(Fate.Refused)).ShouldBe(CheckOutcome.Broken);
        Judge(15001, null).ShouldBe(CheckOutcome.Broken);
    }

    [Fact]
    public void Judge_LeftAlone_NeedsThePacketOutsideAsItWas()
    {
        Judge(null, new Evidence(Fate.Left, 0, Destination)).ShouldBe(CheckOutcome.Held);
        Judge(null, new Evidence(Fate.Left, 0, Elsewhere)).ShouldBe(CheckOutcome.Broken);
        Judge(null, new Evidence(Fate.Arrived, 80, Destination)).ShouldBe(CheckOutcome.Broken);
        Judge(null, null).ShouldBe(CheckOutcome.Broken);
    }

    [Fact]
    public void Judge_Dropped_NeedsALaterAnswer()
    {
        Judge(null, new Evidence(Fate.Dropped), dropped: true).ShouldBe(CheckOutcome.Held);
        Judge(null, new Evidence(Fate.Refused), dropped: true).ShouldBe(CheckOutcome.Broken);
        Judge(null, new Evidence(Fate.Arrived, 80, Destination), dropped: true).ShouldBe(CheckOutcome.Broken);
        Judge(null, null, dropped: true).ShouldBe(CheckOutcome.NotProvable);
        Judge(null, new Evidence(Fate.Dropped)).ShouldBe(CheckOutcome.Broken);
    }

    [Fact]
    public void Judge_Reset_IsExcusedOnlyWhereARunningProcessMayTakeIt()
    {
        Judge(15001, Evidence.Of(SocketNews.Reset, true)).ShouldBe(CheckOutcome.NotProvable);
        Judge(15001, Evidence.Of(SocketNews.Reset, false)).ShouldBe(CheckOutcome.Broken);
        Judge(null, Evidence.Of(SocketNews.Reset, false)).ShouldBe(CheckOutcome.Broken);
    }

    [Theory]
    [InlineData(111, CheckOutcome.Held)]
    [InlineData(113, CheckOutcome.Broken)]
    [InlineData(13, CheckOutcome.Broken)]
    public void Judge_NobodyListens_OnlyARefusalShowsThatThePacketCame(int errno, object expected)
    {
        (CheckOutcome outcome, string? reason) = Evidence.Judge(To(null, null), Evidence.Of(new SocketNews(errno), false), false);
        outcome.ShouldBe((CheckOutcome)expected);
        (reason ?? "errno 111").ShouldContain($"errno {errno}");
    }

    [Theory]
    [InlineData(98, CheckOutcome.NotProvable)]
    [InlineData(99, CheckOutcome.NotProvable)]
    [InlineData(1, CheckOutcome.Broken)]
    public void Judge_NotSent_TellsCircumstancesFromRules(int errno, object expected) =>
        Judge(15001, new Evidence(Fate.NotSent, errno)).ShouldBe((CheckOutcome)expected);

    [Theory]
    [InlineData("0100007F:1F90", "127.0.0.1:8080")]
    [InlineData("00000000000000000000000001000000:3A99", "[::1]:15001")]
    [InlineData("0000000000000000FFFF00000100007F:0050", "127.0.0.1:80")]
    public void Parse_KernelsAddresses_AreRead(string text, string expected) =>
        ConnectionTable.Parse(text).ShouldBe(IPEndPoint.Parse(expected));

    [Theory]
    [InlineData("192.0.2.77", "192.0.2.130")]
    [InlineData("2001:db8::1", "2001:db8::2")]
    public void Frame_WrittenAndRead_IsTheSame(string from, string to)
    {
        var frame = new Frame(Transports.Tcp, new IPEndPoint(IPAddress.Parse(from), 20000), new IPEndPoint(IPAddress.Parse(to), 80), Frame.Syn | Frame.Ack, 7, 9);
        byte[] bytes = frame.ToBytes([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        Frame.Read(bytes).ShouldBe(frame);
        for (int length = 0; length < bytes.Length; length++)
        {
            Frame.Read(bytes.AsSpan(0, length)).ShouldBeNull();
        }
    }

    [Theory]
    [InlineData("192.0.2.77", "192.0.2.130")]
    [InlineData("2001:db8::1", "2001:db8::2")]
    public void Frame_Datagram_IsWrittenAndReadBack(string from, string to)
    {
        var frame = new Frame(Transports.Udp, new IPEndPoint(IPAddress.Parse(from), 20000), new IPEndPoint(IPAddress.Parse(to), 53));
        byte[] bytes = frame.ToBytes([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        Frame.Read(bytes).ShouldBe(frame);
        bytes.Length.ShouldBe(14 + (from.Contains(':') ? 40 : 20) + 10);
    }

    private static CheckOutcome Judge(int? port, Evidence? seen, bool dropped = false) =>
        Evidence.Judge(To(ProbeLink.Ordinary, port) with { Dropped = dropped }, seen, true).Outcome;

    private static Probe To(ProbeLink? link, int? port) => new("p", new Packet
    {
        Inbound = false,
        Interface = "ml4near",
        Transport = Transports.Tcp,
        Source = IPAddress.Parse("192.0.2.130"),
        Destination = Destination.Address,
        DestinationPort = Destination.Port,
    }, link, port);
}

using System.Net;
using MeshL4.Interceptor.Plan;
using MeshL4.TestKit.Laboratory;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Laboratory;

/// <summary>The measuring instrument itself, held against rules simple enough to be read.</summary>
public class PacketLaboratoryTests
{
    [Fact]
    public void Send_WithoutRules_EveryPacketReachesItsDestination()
    {
        using var laboratory = new PacketLaboratory([80]);
        Probe[] probes =
        [
            .. from transport in new[] { Transports.Tcp, Transports.Udp }
               from way in new[]
               {
                   (Origin.Pod, "127.0.0.1"), (Origin.Pod, "::1"), (Origin.Pod, "10.77.0.2"), (Origin.Pod, "fd77::2"), (Origin.Pod, "9.9.9.9"),
                   (Origin.Pod, "2001:db8::1"), (Origin.Pod, "198.51.100.1"), (Origin.Pod, "3fff:78::1"), (Origin.Outside, "10.77.0.2"),
                   (Origin.Outside, "fd77::2"), (Origin.SideNetwork, "10.78.0.2"), (Origin.SideNetwork, "fd78::2"),
                   (Origin.VirtualMachine, "10.81.0.1"), (Origin.VirtualMachine, "fd81::1"), (Origin.VirtualMachine, "9.9.9.9"),
                   (Origin.VirtualMachine, "2001:db8::1"),
               }
               select new Probe(way.Item1, transport, IPAddress.Parse(way.Item2), 80),
        ];

        IReadOnlyList<Landing> landings = laboratory.Send(probes);

        probes.Zip(landings).Where(p => p.Second != new Landing(Verdict.LeftAlone, true)).ShouldBeEmpty();
    }

    [Fact]
    public void Send_PortWithoutListener_IsRefused()
    {
        using var laboratory = new PacketLaboratory([]);

        laboratory.Send([To("9.9.9.9", 81), To("2001:db8::1", 81), To("127.0.0.1", 81), To("9.9.9.9", 81, Transports.Udp), To("::1", 81, Transports.Udp)])
            .Select(l => l.Verdict).ShouldAllBe(v => v == Verdict.Refused);
    }

    [Theory]
    [InlineData("tcp dport 80 redirect to :15001", "Outbound")]
    [InlineData("tcp dport 80 redirect to :15006", "Inbound")]
    [InlineData("tcp dport 80 redirect to :15053", "Dns")]
    [InlineData("tcp dport 80 redirect to :81", "Astray")]
    [InlineData("tcp dport 80 redirect to :82", "Refused")]
    [InlineData("tcp dport 80 drop", "Lost")]
    [InlineData("meta l4proto tcp skuid 7 redirect to :15001", "Outbound")]
    [InlineData("meta l4proto tcp skgid 8 redirect to :15006", "Inbound")]
    [InlineData("meta l4proto tcp skuid { 0, 1000 } redirect to :15006", "LeftAlone")]
    [InlineData("meta l4proto tcp ip saddr 127.0.0.6 redirect to :15006", "LeftAlone")]
    public void Send_OneRule_ComesOutWhereItSays(string rule, string expected)
    {
        using var laboratory = new PacketLaboratory([80, 81]);
        laboratory.Pod.Exec("nft", $"add table inet t; add chain inet t c {{ type {(rule.Contains("redirect") ? "nat" : "filter")} hook output priority -100; }}; add rule inet t c {rule}");

        laboratory.Send([To("9.9.9.9", 80) with { Uid = 7, Gid = 8 }]).ShouldHaveSingleItem().Verdict.ToString().ShouldBe(expected);
    }

    [Fact]
    public void Send_RedirectedDatagram_IsAnsweredFromItsDestination()
    {
        using var laboratory = new PacketLaboratory([53]);
        laboratory.Pod.Exec("nft", "add table inet t; add chain inet t c { type nat hook output priority -100; }; add rule inet t c udp dport 53 redirect to :15053");

        laboratory.Send([To("9.9.9.9", 53, Transports.Udp), To("2001:db8::1", 53, Transports.Udp), To("127.0.0.53", 53, Transports.Udp)])
            .ShouldAllBe(l => l == new Landing(Verdict.Dns, true));
    }

    [Fact]
    public void Send_DatagramByTproxy_IsAnsweredFromItsDestination()
    {
        using var laboratory = new PacketLaboratory([4000]);
        laboratory.Pod.Exec("nft", "add table inet t; add chain inet t o { type route hook output priority -150; }; add rule inet t o oifname != lo udp dport 4000 meta mark set 7; "
            + "add chain inet t p { type filter hook prerouting priority -150; }; add rule inet t p iifname lo meta mark 7 meta l4proto udp tproxy to :15001 accept");
        laboratory.Pod.Ip("rule add fwmark 7 lookup 7", "route add local default dev lo table 7");
        laboratory.Pod.Ip6("rule add fwmark 7 lookup 7", "route add local default dev lo table 7");

        laboratory.Send([To("9.9.9.9", 4000, Transports.Udp), To("2001:db8::1", 4000, Transports.Udp)]).ShouldAllBe(l => l == new Landing(Verdict.Outbound, true));
    }

    private static Probe To(string address, int port, Transports transport = Transports.Tcp) => new(Origin.Pod, transport, IPAddress.Parse(address), port);
}

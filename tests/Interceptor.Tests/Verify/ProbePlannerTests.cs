using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Verify;

/// <summary>Which packets are chosen; where each must arrive is the plan's business and tested with real packets.</summary>
public class ProbePlannerTests
{
    private static readonly ProbeSite Site = new()
    {
        Self = new Identity(0, 0),
        Application = new Identity(0, 0),
        Addresses = new HashSet<IPAddress> { IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.1.0.1") },
        Interfaces = new HashSet<string> { "lo", "eth0" },
        ProbePort = 15002,
        CanMakeLinks = true,
        HasLoopback = true,
    };

    [Fact]
    public void Of_EverythingCaptured_EveryPromiseInBothFamilies()
    {
        IReadOnlyList<Probe> probes = Of(("istio-inbound-ports", "*"), ("istio-local-exclude-ports", "15090"), ("istio-service-cidr", "*"),
            ("istio-local-outbound-ports-exclude", "22"), ("istio-service-exclude-cidr", "11.0.0.0/8,fd00::/8"), ("istio-exclude-interfaces", "net1"));
        foreach (AddressFamily family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            string[] promises = [.. probes.Where(p => p.Family == family && p.Promise != Promises.Passthrough).Select(p => p.Promise).Distinct()];
            promises.ShouldBe(
            [
                Promises.OutboundCaptured, Promises.ProxyNotLooped, Promises.PortsExcluded, Promises.BlocksExcluded, Promises.InterfacesExcluded,
                Promises.SelfCall, Promises.ProxyToLoopback, Promises.Loopback, Promises.DnsLeftAlone, Promises.InboundCaptured, Promises.InboundLeftAlone,
            ]);
        }

        probes.ShouldAllBe(p => p.Obstacle == null);
    }

    [Fact]
    public void Of_AnyOptions_PortIsWhatThePlanDecides()
    {
        RedirectOptions options = Flags.Options(("istio-service-cidr", "10.0.0.0/8"), ("istio-outbound-ports", "99"), ("istio-inbound-ports", "80-90"));
        RedirectPlan plan = RedirectPlanner.Plan(options);
        IReadOnlyList<Probe> probes = ProbePlanner.Of(options, plan, Site);
        probes.ShouldAllBe(p => p.Port == ProbePlanner.PortOf(plan, p.Packet));
        probes.Select(p => p.Promise).ShouldContain(Promises.OutboundNotAskedFor);
        probes.Where(p => p.Promise == Promises.InboundCaptured && p.Family == AddressFamily.InterNetwork).Select(p => p.Packet.DestinationPort).ShouldBe([80, 90]);
        probes.ShouldContain(p => p.Promise == Promises.OutboundCaptured && p.Packet.DestinationPort == 99);
    }

    [Fact]
    public void Of_Ipv6Off_OnlySaysThatItIsLeftAlone()
    {
        IReadOnlyList<Probe> probes = Of(("istio-inbound-ports", "*"), ("istio-service-cidr", "*"), ("ipv6", "off"));
        probes.Where(p => p.Family == AddressFamily.InterNetworkV6).ShouldAllBe(p => p.Promise == Promises.Ipv6LeftAlone && p.Port == null);
        probes.Count(p => p.Family == AddressFamily.InterNetworkV6).ShouldBe(2);
    }

    [Fact]
    public void Of_SeveralProxyIds_EachIsSentAloneWithAStrangersOther()
    {
        Identity[] senders = [.. Of(("istio-service-cidr", "*"), ("proxy-uid", "1337,4"), ("proxy-gid", "5"))
            .Where(p => p.Promise == Promises.ProxyNotLooped && p.Family == AddressFamily.InterNetwork).Select(p => p.Sender).Distinct()];
        senders.ShouldBe([new Identity(1337, 0), new Identity(4, 0), new Identity(0, 5)]);
    }

    [Fact]
    public void Of_ManyBlocks_TakesAnEvenSampleWithBothEnds()
    {
        string blocks = string.Join(',', Enumerable.Range(0, 1000).Select(i => $"11.{i / 256}.{i % 256}.0/24"));
        string[] sent = [.. Of(("istio-service-cidr", "*"), ("istio-service-exclude-cidr", blocks))
            .Where(p => p.Promise == Promises.BlocksExcluded).Select(p => $"{p.Packet.Destination}")];
        sent.Length.ShouldBe(ProbeAddresses.SampleSize);
        sent[0].ShouldBe("11.0.0.1");
        sent[^1].ShouldBe("11.3.231.1");
    }

    [Theory]
    [InlineData("istio-inbound-ports", true, false)]
    [InlineData("istio-outbound-ports", false, false)]
    [InlineData("capture-udp", true, true)]
    [InlineData("capture-udp", false, true)]
    public void Of_ManyPorts_TakesAnEvenSampleWithBothEnds(string flag, bool inbound, bool udp)
    {
        string ports = string.Join(',', Enumerable.Range(0, 1000).Select(i => $"{20001 + (2 * i)}"));
        int[] sent = [.. Of(("istio-inbound-interception-mode", "TRANSPARENT"), (flag, ports)).Select(p => p.Packet)
            .Where(p => p.Inbound == inbound && p.Transport == (udp ? Transports.Udp : Transports.Tcp) && p.DestinationPort > 20000 && p.Destination.AddressFamily == AddressFamily.InterNetwork).Select(p => p.DestinationPort)];
        sent.Length.ShouldBe(ProbeAddresses.SampleSize);
        sent.ShouldBeUnique();
        (sent.Min(), sent.Max()).ShouldBe((20001, 21999));
    }

    [Theory]
    [InlineData("443", "", 443, true)]
    [InlineData("443", "", 80, false)]
    [InlineData("*", "53", 53, false)]
    [InlineData("*", "53", 80, true)]
    public void Of_EveryDatagramOutbound_ThoseOfTheInboundListsAreAmongThem(string captured, string excluded, int port, bool taken)
    {
        Probe[] sent = [.. Of(("istio-inbound-interception-mode", "TRANSPARENT"), ("capture-udp", "*"), ("istio-inbound-ports", captured), ("istio-local-exclude-ports", excluded))
            .Where(p => p.Packet is { Inbound: true, Transport: Transports.Udp } && p.Packet.DestinationPort == port)];
        sent.Length.ShouldBe(2, "one a family");
        sent.ShouldAllBe(p => p.Port != null == taken && p.Promise == (taken ? Promises.UdpCaptured : Promises.UdpLeftAlone));
    }

    [Fact]
    public void Of_ManyProxyIds_TakesEightOfEach()
    {
        string ids = string.Join(',', Enumerable.Range(2001, 100));
        Probe[] probes = [.. Of(("istio-service-cidr", "*"), ("istio-inbound-ports", "*"), ("proxy-uid", ids), ("proxy-gid", ids)).Where(p => p.Family == AddressFamily.InterNetwork)];
        Probe[] own = [.. probes.Where(p => p.Promise == Promises.ProxyNotLooped)];
        own.Select(p => p.Sender.Uid).Where(u => u > 2000).Distinct().Count().ShouldBe(8);
        own.Select(p => p.Sender.Gid).Where(g => g > 2000).Distinct().Count().ShouldBe(8);
        own.Select(p => p.Sender.Uid).ShouldContain(2100u);
        probes.Count(p => p.Promise == Promises.SelfCall).ShouldBe(8);
    }

    [Theory]
    [InlineData("127.0.0.1/32", "127.0.0.1", Promises.ProxyToLoopback, true)]
    [InlineData("127.0.1.0/24", "127.0.0.1", Promises.SelfCall, false)]
    [InlineData("127.0.1.0/24", "127.0.1.1", Promises.ProxyToLoopback, true)]
    public void Of_ProxyCallsLoopback_PromisesWhatThePlanDoes(string block, string address, string promise, bool leftAlone)
    {
        Probe call = Of(("istio-inbound-ports", "*"), ("istio-outbound-ipv4-loopback-cidr", block))
            .Single(p => p.Sender.Uid == 1337 && p.Packet.Source.Equals(IPAddress.Loopback) && p.Packet.Destination.Equals(IPAddress.Parse(address)));
        call.Promise.ShouldBe(promise);
        (call.Port is null).ShouldBe(leftAlone);
    }

    [Theory]
    [InlineData("224.0.0.0/4")]
    [InlineData("10.0.0.1/32")]
    [InlineData("ff02::/16")]
    public void Of_BlockWithoutAnAddressToSendTo_SaysSo(string block) =>
        Of(("istio-service-cidr", "*"), ("istio-service-exclude-cidr", block)).Single(p => p.Promise == Promises.BlocksExcluded)
            .Obstacle.ShouldBe($"{block} has no address that a packet can be sent to");

    [Fact]
    public void Of_ExcludedInterfaceOfThePod_IsNotUsed()
    {
        IEnumerable<Probe> probes = Of(("istio-service-cidr", "*"), ("istio-exclude-interfaces", "eth0,eth+")).Where(p => p.Promise == Promises.InterfacesExcluded);
        probes.Where(p => p.Packet.Interface == "eth0").ShouldAllBe(p => p.Obstacle!.Contains("is there already"));
        probes.Where(p => p.Packet.Interface == "ethml4").ShouldAllBe(p => p.Obstacle == null && p.Port == null);
    }

    [Theory]
    [InlineData("a+")]
    [InlineData("abcdefghijkl+")]
    [InlineData("abcdefghijklm+")]
    [InlineData("abcdefghijklmn+")]
    public void Of_ExcludedPattern_IsShownByAnInterfaceThatMeetsIt(string pattern)
    {
        Probe[] probes = [.. Of(("istio-service-cidr", "*"), ("istio-inbound-ports", "*"), ("istio-exclude-interfaces", pattern)).Where(p => p.Promise == Promises.InterfacesExcluded)];
        probes.Length.ShouldBe(4);
        probes.ShouldAllBe(p => p.Port == null && p.Obstacle == null && p.Packet.Interface.Length <= 15 && p.Packet.Interface.StartsWith(pattern.TrimEnd('+')));
    }

    [Theory]
    [InlineData("tap0", "tap0")]
    [InlineData("tap0", "tap+")]
    [InlineData("tap+", "tap+")]
    public void Of_ExcludedInterfaceThatIsVirtualToo_IsNotSaidToBeLeftAlone(string excluded, string virtualOnes)
    {
        IReadOnlyList<Probe> probes = Of(("istio-service-cidr", "*"), ("istio-inbound-ports", "*"), ("istio-exclude-interfaces", excluded), ("kube-virt-interfaces", virtualOnes));
        Probe[] inbound = [.. probes.Where(p => p.Promise == Promises.InterfacesExcluded && p.Packet.Inbound)];
        inbound.Length.ShouldBe(2);
        inbound.ShouldAllBe(p => p.Obstacle!.Contains("--kube-virt-interfaces"));
        probes.Where(p => p.Promise == Promises.InterfacesExcluded && !p.Packet.Inbound).ShouldAllBe(p => p.Obstacle == null && p.Port == null);
        probes.Where(p => p.Promise == Promises.VirtualCaptured).ShouldAllBe(p => p.Obstacle == null && p.Port != null);
        probes.Select(p => p.Link).OfType<ProbeLink>().Distinct().GroupBy(l => l.Near).ShouldAllBe(g => g.Count() == 1, "two pairs of one name cannot be made");
    }

    [Theory]
    [InlineData(1337u, 1337u, 61000u, 61000u)]
    [InlineData(1000u, 1337u, 1000u, 61000u)]
    [InlineData(0u, 0u, 0u, 0u)]
    public void ApplicationOf_ProxysIds_AreReplaced(uint uid, uint gid, uint expectedUid, uint expectedGid) =>
        ProbeSite.ApplicationOf(new RedirectOptions(), new Identity(uid, gid)).ShouldBe(new Identity(expectedUid, expectedGid));

    [Fact]
    public void Of_GroupsUsersSourcesAndDatagrams_AreRepresented()
    {
        var options = new RedirectOptions
        {
            OutboundBlocks = new CidrChoice(true, []),
            InboundPorts = new PortChoice(true, new PortSet([])),
            OwnerGroups = [500],
            ExcludedOwnerGroups = [501],
            UserExclusions = [new UserPortExclusion(Transports.Tcp, PortSet.Single(9090), [new(2000, 2005)])],
            InboundExcludedSources = [IPNetwork.Parse("10.9.0.0/16")],
            UdpPorts = new PortChoice(false, PortSet.Single(443)),
            VirtualInterfaces = ["tap7"],
        };
        ProbeSite site = Site with { Application = ProbeSite.ApplicationOf(options, Site.Self) };
        IReadOnlyList<Probe> probes = [.. ProbePlanner.Of(options, RedirectPlanner.Plan(options), site).Where(p => p.Family == AddressFamily.InterNetwork)];
        site.Application.ShouldBe(new Identity(0, 500));
        probes.Where(p => p.Promise == Promises.GroupsLeftAlone).Select(p => p.Sender.Gid).ShouldBe([501u, 61000u]);
        probes.Where(p => p.Promise == Promises.UsersExcluded).Select(p => p.Sender).ShouldBe([new Identity(2000, 500), new Identity(2005, 500)]);
        probes.Where(p => p.Promise == Promises.OtherUsersCaptured).ShouldAllBe(p => p.Sender == site.Application && p.Packet.DestinationPort == 9090 && p.Port != null);
        probes.Single(p => p.Promise == Promises.SourcesExcluded).Packet.Source.ShouldBe(IPAddress.Parse("10.9.0.1"));
        probes.ShouldContain(p => p.Packet.Transport == Transports.Udp && p.Packet.Inbound && p.Packet.DestinationPort == 443);
        probes.ShouldContain(p => p.Packet.Transport == Transports.Udp && !p.Packet.Inbound && p.Packet.DestinationPort == 443);
        probes.ShouldContain(p => p.Packet.Interface == "tap7" && p.Packet.Inbound && !p.Packet.Destination.Equals(p.Link!.Address(AddressFamily.InterNetwork)));
    }

    private static IReadOnlyList<Probe> Of(params (string, string)[] flags)
    {
        RedirectOptions options = Flags.Options(flags);
        return ProbePlanner.Of(options, RedirectPlanner.Plan(options), Site);
    }
}

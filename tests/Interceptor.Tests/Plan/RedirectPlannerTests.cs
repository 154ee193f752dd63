using System.Net;
using MeshL4.Interceptor.Plan;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Plan;

public class RedirectPlannerTests
{
    private static readonly (string, string)[] Everything = [("istio-inbound-ports", "*"), ("istio-service-cidr", "*"), ("proxy-uid", "3,4")];

    [Theory]
    [InlineData(3u)]
    [InlineData(4u)]
    public void Decide_SelfCallOfAnyProxyUid_GoesToInbound(uint uid) =>
        Decide(Everything, "10.0.0.9", 80, uid, "lo").ShouldBe(15006);

    [Fact]
    public void Decide_TunnelPortOnLoopback_IsLeftAlone() => Decide(Everything, "10.0.0.9", 15008, 3, "lo").ShouldBeNull();

    [Fact]
    public void Decide_Ipv6SwitchedOff_IsLeftAlone()
    {
        Decide([.. Everything, ("ipv6", "off")], "2001:db8::1", 80, 1000).ShouldBeNull();
        Decide(Everything, "2001:db8::1", 80, 1000).ShouldBe(15001);
    }

    [Fact]
    public void Decide_WholeFamilyIncluded_TakesThatFamilyOnly()
    {
        Decide([("istio-service-cidr", "0.0.0.0/0")], "1.1.1.1", 80, 1000).ShouldBe(15001);
        Decide([("istio-service-cidr", "0.0.0.0/0")], "2001:db8::1", 80, 1000).ShouldBeNull();
    }

    [Fact]
    public void Decide_LoopbackBlockIncluded_ApplicationsLoopbackIsCaptured()
    {
        Decide([("istio-service-cidr", "127.1.2.3/32")], "127.1.2.3", 80, 1000, "lo").ShouldBe(15001);
        Decide(Everything, "127.1.2.3", 80, 1000, "lo").ShouldBeNull();
    }

    [Theory]
    [InlineData("REDIRECT")]
    [InlineData("TPROXY")]
    [InlineData("TRANSPARENT")]
    public void Plan_EveryComment_FitsNftAndNeedsNoEscape(string mode)
    {
        RedirectPlan plan = RedirectPlanner.Plan(Flags.Options([.. Everything, ("istio-inbound-interception-mode", mode), ("istio-local-exclude-ports", "1"), ("istio-outbound-ports", "2"),
            ("istio-service-exclude-cidr", "10.0.0.0/8"), ("istio-local-outbound-ports-exclude", "3"), ("istio-exclude-interfaces", "x"), ("kube-virt-interfaces", "y")]));
        plan.Chains.SelectMany(c => c.Rules).ShouldAllBe(r => r.Why.Length > 0 && r.Why.Length <= 100 && r.Why.All(c => char.IsAsciiLetterOrDigit(c) || " :,;_-".Contains(c)));
    }

    [Fact]
    public void Decide_LetByInMangleAndMetByNothingInNat_NoRuleDecided()
    {
        RedirectRule letBy = new([new TransportMatch(Transports.Tcp)], RuleVerdict.Return, "let by");
        RedirectRule other = new([new TransportMatch(Transports.Udp)], RuleVerdict.Redirect(1), "another protocol");
        RedirectPlan plan = RedirectPlanner.Plan(new RedirectOptions()) with
        {
            Chains = [new(NetfilterTable.Mangle, true, [letBy]), new(NetfilterTable.Nat, true, [other])],
        };
        var packet = new Packet
        {
            Inbound = true,
            Interface = "eth0",
            Transport = Transports.Tcp,
            Source = IPAddress.Parse("10.0.0.1"),
            Destination = IPAddress.Parse("10.0.0.9"),
            DestinationPort = 80,
            Uid = 0,
            Gid = 0,
        };
        Decision decision = plan.Decide(packet).ShouldNotBeNull();
        (decision.Verdict, decision.Rule).ShouldBe((RuleVerdict.Return, null));
        decision.Steps.Select(s => s.Rule).ShouldBe([letBy, null]);
        (plan with { Chains = [plan.Chains[0]] }).Decide(packet).ShouldNotBeNull().Rule.ShouldBe(letBy);
    }

    private static int? Decide((string, string)[] flags, string to, int port, uint uid, string through = "eth0") =>
        RedirectPlanner.Plan(Flags.Options(flags)).Decide(new Packet
        {
            Inbound = false,
            Interface = through,
            Transport = Transports.Tcp,
            Source = IPAddress.Parse(to.Contains(':') ? "2001:db8::9" : "10.0.0.9"),
            Destination = IPAddress.Parse(to),
            DestinationPort = port,
            Uid = uid,
            Gid = uid,
        })?.Verdict.Port;
}

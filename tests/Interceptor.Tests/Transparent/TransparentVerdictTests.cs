using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Tests.Oracle;
using MeshL4.TestKit.Laboratory;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Transparent;

/// <summary>Transparent mode with the oracle's packets: the kernel does what the plan decides, and TCP comes out where redirect mode, and
/// with it Istio's rules, lets it come out.</summary>
public class TransparentVerdictTests
{
    public static TheoryData<string> Cases => [.. Options.Keys];

    private static readonly Dictionary<string, RedirectOptions> Options = new()
    {
        ["everything"] = Flags.Options(("istio-inbound-ports", "*"), ("istio-service-cidr", "*")),
        ["nothing"] = Flags.Options(),
        ["ipv6 off"] = Flags.Options(("istio-inbound-ports", "*"), ("istio-service-cidr", "*"), ("ipv6", "off")),
        ["exclusions"] = Flags.Options(("istio-inbound-ports", "*"), ("istio-service-cidr", "*"), ("istio-local-exclude-ports", "80,4000-4001"),
            ("istio-service-exclude-cidr", "9.9.0.0/16,2001:db8::/32"), ("istio-local-outbound-ports-exclude", "6000"),
            ("istio-exclude-interfaces", "not-istio-nic"), ("proxy-uid", "3,4"), ("proxy-gid", "1,2")),
        ["lists"] = Flags.Options(("istio-inbound-ports", "80,4000"), ("istio-service-cidr", "10.0.0.0/8,3fff::/16"), ("istio-outbound-ports", "32000")),
        ["virtual machines"] = Flags.Options(("istio-service-cidr", "*"), ("kube-virt-interfaces", "eth0,eth1")),
        ["loopback included"] = Flags.Options(("istio-inbound-ports", "*"), ("istio-service-cidr", "127.1.2.3/32")),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Kernel_EveryPacket_ComesOutWhereThePlanSays(string name)
    {
        RedirectOptions options = Options[name] with { Mode = InterceptionMode.Transparent };
        PlanVerdicts.Measured(options, null).Differences(PlanVerdicts.Decided(RedirectPlanner.Plan(options))).ShouldBeEmpty();
    }

    // But for what comes to loopback from outside: wherever packets from there are taken, redirect mode leaves it to the kernel and this one
    // drops it by itself.
    [Theory]
    [MemberData(nameof(Cases))]
    public void Plan_EveryTcpPacket_ComesOutWhereRedirectModeLetsItComeOut(string name) =>
        PlanVerdicts.Decided(RedirectPlanner.Plan(Options[name] with { Mode = InterceptionMode.Transparent }))
            .Differences(PlanVerdicts.Decided(RedirectPlanner.Plan(Options[name])))
            .ShouldBe(PacketTable.Rows.Where(r => r.Probe.From == Origin.Neighbour && name != "nothing").Select(r => $"{r.Label} app: ------ / ......"));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Apply_Twice_SecondTimeFindsNothingToWrite(string name)
    {
        using var pod = new Pod();
        RedirectOptions options = Options[name] with { Mode = InterceptionMode.Transparent, UdpPorts = new PortChoice(true, new PortSet([])) };
        RedirectPlan plan = RedirectPlanner.Plan(options);
        pod.In(() => new RuleSetter(new CommandRunner(), options).Apply(plan));
        pod.In(() => new RuleSetter(new CommandRunner(), options).Diff(plan)).ShouldBeEmpty();
        pod.In(() => new RuleSetter(new CommandRunner(), options).Apply(plan)).Written.ShouldBeFalse();
    }

    [Theory]
    [InlineData(false, "53,80")]
    [InlineData(true, "")]
    public void Kernel_EveryDatagram_ComesOutWhereThePlanSays(bool all, string ports)
    {
        RedirectOptions options = Options["exclusions"] with
        {
            Mode = InterceptionMode.Transparent,
            UdpPorts = new PortChoice(all, new PortSet(ports.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse).Select(p => new PortRange(p, p)))),
        };
        VerdictTable decided = PlanVerdicts.Decided(RedirectPlanner.Plan(options));
        decided.Differences(PlanVerdicts.Decided(RedirectPlanner.Plan(options with { UdpPorts = new(false, new([])) }))).Count.ShouldBeGreaterThan(10);
        PlanVerdicts.Measured(options, null).Differences(decided).ShouldBeEmpty();
    }
}

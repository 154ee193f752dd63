using System.Net;
using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using MeshL4.TestKit;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Verify;

/// <summary>Verification inside the test's process, for options that are made by hand. The program itself is tested in tests/Init.Tests.</summary>
public class VerifierTests
{
    [Theory]
    [InlineData("", CheckOutcome.Held)]
    [InlineData("add table inet foreign; add chain inet foreign c { type filter hook input priority 0; }; add rule inet foreign c udp sport 53 drop", CheckOutcome.Broken)]
    public void Run_DnsCaptured_TheAnswerMustComeBack(string foreign, object outcome)
    {
        using var pod = new Pod();
        var options = new RedirectOptions { Dns = DnsCapture.All, ProbeTimeout = TimeSpan.FromSeconds(2) };
        RedirectPlan plan = RedirectPlanner.Plan(options);
        pod.In(() => new RuleSetter(new CommandRunner(), options).Apply(plan));
        if (foreign.Length > 0)
        {
            pod.Exec("nft", foreign);
        }

        VerifyReport report = pod.In(() => new Verifier(new CommandRunner(), [Executables.Init], options).Run(plan));
        foreach (AddressFamily family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            report.Checks.Single(c => c.Promise == Promises.DnsOverUdp && c.Family == family).Outcome.ShouldBe((CheckOutcome)outcome, report.Text());
            report.Checks.Single(c => c.Promise == Promises.DnsOverTcp && c.Family == family).Outcome.ShouldBe(CheckOutcome.Held, report.Text());
        }
    }

    [Theory]
    [InlineData(InterceptionMode.Redirect)]
    [InlineData(InterceptionMode.Tproxy)]
    [InlineData(InterceptionMode.Transparent)]
    public void Run_EveryMode_Holds(object mode)
    {
        using var pod = new Pod();
        var options = new RedirectOptions
        {
            Mode = (InterceptionMode)mode,
            OutboundBlocks = new CidrChoice(true, []),
            InboundPorts = new PortChoice(true, new PortSet([])),
            InboundExcludedPorts = new PortSet([new PortRange(15090, 15090), new PortRange(15021, 15021)]),
            OutboundExcludedPorts = PortSet.Single(22),
            OutboundExcludedBlocks = [IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("2001:db8:ffff::/48")],
            ExcludedInterfaces = ["net1"],
            ProbeTimeout = TimeSpan.FromSeconds(2),
            Verify = VerifyMode.Off,
        };
        RedirectPlan plan = RedirectPlanner.Plan(options);
        VerifyReport report = pod.In(() =>
        {
            new RuleSetter(new CommandRunner(), options).Apply(plan);
            return new Verifier(new CommandRunner(), [Executables.Init], options).Run(plan);
        });
        report.AnyBroken.ShouldBeFalse(report.Text());
        report.AnyNotProvable.ShouldBeFalse(report.Text());
    }
}

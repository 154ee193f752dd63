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
        VerifyReport report = Applied(pod, options, foreign, [Executables.Init]);
        foreach (AddressFamily family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            report.Checks.Single(c => c.Promise == Promises.DnsOverUdp && c.Family == family).Outcome.ShouldBe((CheckOutcome)outcome, report.Text());
            report.Checks.Single(c => c.Promise == Promises.DnsOverTcp && c.Family == family).Outcome.ShouldBe(CheckOutcome.Held, report.Text());
        }
    }

    // Who is asked for is not who runs the test: a child sends, and its answer counts as well.
    [Theory]
    [InlineData("", CheckOutcome.Held)]
    [InlineData("add table inet foreign; add chain inet foreign c { type filter hook input priority 0; }; add rule inet foreign c udp sport 53 drop", CheckOutcome.Broken)]
    public void Run_DnsCapturedForAGroup_TheAnswerMustComeBackToItsProcess(string foreign, object outcome)
    {
        using var pod = new Pod();
        var options = new RedirectOptions { Dns = DnsCapture.All, OwnerGroups = [202], ProbeTimeout = TimeSpan.FromSeconds(2) };
        VerifyReport report = Applied(pod, options, foreign, [Executables.Init]);
        foreach (AddressFamily family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            report.Checks.Single(c => c.Promise == Promises.DnsOverUdp && c.Family == family).Outcome.ShouldBe((CheckOutcome)outcome, report.Text());
            report.Checks.Single(c => c.Promise == Promises.DnsOverTcp && c.Family == family).Outcome.ShouldBe(CheckOutcome.Held, report.Text());
        }
    }

    [Fact]
    public void Run_ChildrenStartLaterThanAPacketIsWaitedFor_EverythingIsShown()
    {
        using var pod = new Pod();
        using var program = new Wrapper($"sleep 2; exec '{Executables.Init}' \"$@\"");
        var options = new RedirectOptions { OutboundBlocks = new CidrChoice(true, []), ProbeTimeout = TimeSpan.FromSeconds(1) };
        VerifyReport report = Applied(pod, options, "", program.Command);
        report.AnyBroken.ShouldBeFalse(report.Text());
        report.AnyNotProvable.ShouldBeFalse(report.Text());
    }

    [Fact]
    public void Run_ChildrenNeverBegin_IsNotProvableForThemAlone()
    {
        using var pod = new Pod();
        using var program = new Wrapper("exec sleep 600");
        var options = new RedirectOptions { OutboundBlocks = new CidrChoice(true, []) };
        VerifyReport report = Applied(pod, options, "", program.Command, TimeSpan.FromSeconds(1));
        report.AnyBroken.ShouldBeFalse(report.Text());
        report.Checks.Where(c => c.Promise == Promises.ProxyNotLooped).ShouldAllBe(c => c.Outcome == CheckOutcome.NotProvable);
        report.Text().ShouldContain("cannot send as 1337:0: the probing process did not answer within 1 s");
        report.Checks.Where(c => c.Promise == Promises.OutboundCaptured).ShouldAllBe(c => c.Outcome == CheckOutcome.Held);
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

    private static VerifyReport Applied(Pod pod, RedirectOptions options, string foreign, IReadOnlyList<string> program, TimeSpan? childLimit = null)
    {
        RedirectPlan plan = RedirectPlanner.Plan(options);
        pod.In(() => new RuleSetter(new CommandRunner(), options).Apply(plan));
        if (foreign.Length > 0)
        {
            pod.Exec("nft", foreign);
        }

        return pod.In(() => new Verifier(new CommandRunner(), program, options, childLimit).Run(plan));
    }

    /// <summary>A program that does something before it is the one that it stands for.</summary>
    private sealed class Wrapper : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("meshl4-");

        public Wrapper(string script) => File.WriteAllText(Path.Combine(_folder.FullName, "init"), $"{script}\n");

        public IReadOnlyList<string> Command => ["/bin/sh", Path.Combine(_folder.FullName, "init")];

        public void Dispose() => _folder.Delete(true);
    }
}

using System.Net.Sockets;
using MeshL4.Interceptor.Apply;
using MeshL4.Interceptor.Plan;
using MeshL4.Interceptor.Verify;
using Shouldly;
using Xunit;

namespace MeshL4.Interceptor.Tests.Verify;

/// <summary>Verification inside the test's process, for plans that are made by hand. Children are tested with the program itself.</summary>
public class VerifierTests
{
    private static readonly RedirectPlan DnsOnly = new(true,
    [
        new RedirectChain(true, []),
        new RedirectChain(false, [new RedirectRule([new OwnerMatch(false, [0]), new TransportMatch(Transports.Tcp | Transports.Udp, PortSet.Single(53))], RuleVerdict.Redirect(15053), "DNS")]),
    ]);

    [Theory]
    [InlineData("", CheckOutcome.Held)]
    [InlineData("add table inet foreign; add chain inet foreign c { type filter hook input priority 0; }; add rule inet foreign c udp sport 53 drop", CheckOutcome.Broken)]
    public void Run_DnsCaptured_TheAnswerMustComeBack(string foreign, object outcome)
    {
        using var pod = new Pod();
        var options = new RedirectOptions { Dns = DnsCapture.All, ProbeTimeout = TimeSpan.FromSeconds(2) };
        var runner = new CommandRunner();
        pod.In(() =>
        {
            var backend = new NftBackend(runner);
            _ = backend.Installed();
            backend.Replace(DnsOnly);
            return 0;
        });
        if (foreign.Length > 0)
        {
            pod.Exec("nft", foreign);
        }

        VerifyReport report = pod.In(() => new Verifier(runner, ["/bin/false"], options).Run(DnsOnly));
        foreach (AddressFamily family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            report.Checks.Single(c => c.Promise == Promises.DnsOverUdp && c.Family == family).Outcome.ShouldBe((CheckOutcome)outcome, report.Text());
            report.Checks.Single(c => c.Promise == Promises.DnsOverTcp && c.Family == family).Outcome.ShouldBe(CheckOutcome.Held, report.Text());
        }
    }
}

using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Init.Tests.Killed;

/// <summary>
/// The same with the verification that follows apply: killed in the middle of it, with its lock, interfaces, routing rules and child processes in
/// place, it keeps no other run from its work, and nothing of it outlives the next run, or cleanup.
/// </summary>
public class KilledVerificationTests(ITestOutputHelper output)
{
    private const int Sample = 3;

    [Theory]
    [InlineData("REDIRECT", false)]
    [InlineData("TPROXY", true)]
    [InlineData("TRANSPARENT", true)]
    public void ApplyWithVerification_KilledAnywhere_NextOneIsVerifiedAndNothingIsLeft(string mode, bool replace)
    {
        using var stage = new KillStage();
        string[] wanted = ["-m", mode, "-b", "*", "-d", "15090", "-i", "*", "-x", "172.16.0.0/12", "-k", "tap0"];
        void Prepare()
        {
            if (replace)
            {
                stage.Run("apply", "--verify", "off", "-m", "REDIRECT", "-b", "*", "-i", "*", "-q", "9999");
            }
        }

        var sweep = new KillSweep(stage, ["apply", .. wanted], ["apply", .. wanted], ["diff", .. wanted], Prepare, verified: true);
        output.WriteLine(sweep.Run(Sample));
    }

    [Theory]
    [InlineData("REDIRECT", "")]
    [InlineData("TPROXY", "--force-iptables-binary=legacy")]
    [InlineData("TRANSPARENT", "")]
    public void Verify_KilledAnywhere_RulesStayAndTheNextOneHolds(string mode, string backend)
    {
        using var stage = new KillStage();
        string[] rules = ["-m", mode, "-b", "*", "-d", "15090", "-i", "*", "-x", "172.16.0.0/12", "-k", "tap0", .. backend.Length > 0 ? new[] { backend } : []];
        var sweep = new KillSweep(stage, ["verify", .. rules], ["verify", .. rules], ["diff", .. rules], () => stage.Run(["apply", "--verify", "off", .. rules]), verified: true);
        output.WriteLine(sweep.Run(Sample));
    }
}

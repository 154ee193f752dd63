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

        var sweep = new KillSweep(stage, ["apply", .. wanted], ["diff", .. wanted], Prepare, verified: true);
        output.WriteLine(sweep.Run(Sample));
    }
}

using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Init.Tests.Killed;

/// <summary>
/// The same with cleanup: killed between the program that removes rules and the one that removes routes, or in the middle of either, it leaves what
/// another cleanup removes, and what another apply is not kept from its work by.
/// </summary>
public class KilledCleanupTests(ITestOutputHelper output)
{
    private const int Sample = 3;

    [Theory]
    [InlineData("REDIRECT", "")]
    [InlineData("TRANSPARENT", "")]
    [InlineData("TPROXY", "--force-iptables-binary=nft")]
    [InlineData("TPROXY", "--force-iptables-binary=legacy")]
    public void Cleanup_KilledAnywhere_NextOneLeavesNothingAndApplyConverges(string mode, string backend)
    {
        using var stage = new KillStage();
        string[] rules = ["-m", mode, "-b", "*", "-i", "*", .. backend.Length > 0 ? new[] { backend } : []];
        string[] apply = ["apply", "--verify", "off", .. rules];
        var sweep = new KillSweep(stage, ["cleanup"], apply, ["diff", .. rules], () => stage.Run(apply), verified: false);
        output.WriteLine(sweep.Run(Sample));
    }
}

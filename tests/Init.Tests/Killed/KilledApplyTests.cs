using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Init.Tests.Killed;

/// <summary>
/// apply is killed before each of the system calls by which its main thread (sendmsg, sendto, setsockopt, write) or a program that it started
/// (sendmsg, sendto, setsockopt) writes; another apply then reaches what was wanted, and cleanup leaves nothing. A sample of the calls; MESHL4_KILL_SWEEP=all takes every one,
/// MESHL4_KILL_SWEEP=2/5 every fifth from the second on.
/// </summary>
public class KilledApplyTests(ITestOutputHelper output)
{
    private const int Sample = 3;

    // More than one write into a pipe: a program may get the beginning of its script only.
    private static readonly string Blocks = string.Join(',', Enumerable.Range(0, 120).Select(i => $"172.{16 + (i % 16)}.{i}.0/24"));

    [Theory]
    [InlineData("REDIRECT", "", false)]
    [InlineData("REDIRECT", "", true)]
    [InlineData("TRANSPARENT", "", false)]
    [InlineData("TRANSPARENT", "", true)]
    [InlineData("REDIRECT", "--force-iptables-binary=nft", false)]
    [InlineData("REDIRECT", "--force-iptables-binary=nft", true)]
    [InlineData("TPROXY", "--force-iptables-binary=legacy", false)]
    [InlineData("TPROXY", "--force-iptables-binary=legacy", true)]
    public void Apply_KilledAnywhere_NextOneConvergesAndCleanupLeavesNothing(string mode, string backend, bool replace)
    {
        using var stage = new KillStage();
        string[] common = ["-b", "*", "-i", "*", "-x", Blocks, .. backend.Length > 0 ? new[] { backend } : []];
        string[] wanted = ["-m", mode, .. common];
        string[] earlier = ["-m", mode == "REDIRECT" ? "TPROXY" : "REDIRECT", "-q", "9999", .. common];
        string[] apply = ["apply", "--verify", "off", .. wanted];
        void Prepare()
        {
            if (replace)
            {
                stage.Run(["apply", "--verify", "off", .. earlier]);
            }
        }

        var sweep = new KillSweep(stage, apply, apply, ["diff", .. wanted], Prepare, verified: false);
        output.WriteLine(sweep.Run(Sample));
    }
}

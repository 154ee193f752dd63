using Shouldly;
using Xunit;
using Xunit.Abstractions;

namespace MeshL4.Init.Tests.Killed;

/// <summary>
/// apply is killed before each of the system calls by which it or a program that it started writes; another apply then reaches what was
/// wanted, and cleanup leaves nothing. A sample, spread over all calls of a case and with its last one; MESHL4_KILL_SWEEP=all takes every one.
/// </summary>
public class KilledApplyTests(ITestOutputHelper output)
{
    private const int Sample = 6;

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
        string empty = stage.State();
        void Prepare()
        {
            if (replace)
            {
                stage.Run(["apply", "--verify", "off", .. earlier]);
            }
        }

        Prepare();
        string before = stage.Table();
        IReadOnlyList<KillPoint> points = stage.Count(apply, Prepare);
        string after = stage.Table();
        KillPoint[] chosen = Environment.GetEnvironmentVariable("MESHL4_KILL_SWEEP") == "all"
            ? [.. points]
            : [.. Enumerable.Range(1, Sample).Select(i => points[(i * points.Count / Sample) - 1]).Distinct()];
        output.WriteLine($"{chosen.Length} of {points.Count} system calls");
        points.Count.ShouldBeGreaterThan(Sample * 2);
        int killed = 0;
        foreach (KillPoint point in chosen)
        {
            stage.Run("cleanup");
            Prepare();
            killed += stage.Kill(point, apply) ? 1 : 0;
            stage.Table().ShouldBeOneOf(before, after);
            stage.Run(apply);
            stage.Run(["diff", .. wanted]);
            stage.Run("cleanup");
            stage.State().ShouldBe(empty, $"after {point}");
        }

        killed.ShouldBeGreaterThanOrEqualTo(chosen.Length - Math.Max(1, chosen.Length / 10));
    }
}

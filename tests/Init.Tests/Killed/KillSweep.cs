using System.Globalization;
using Shouldly;

namespace MeshL4.Init.Tests.Killed;

/// <summary>A program killed before its system calls, one call after the other, each time from the same beginning.</summary>
/// <param name="stage">Where.</param>
/// <param name="killed">Arguments of the program that is killed.</param>
/// <param name="again">Arguments of the one that may run after it.</param>
/// <param name="diff">Arguments that end with 0 when what was wanted is in force after that.</param>
/// <param name="prepare">Brings an empty namespace to the beginning.</param>
/// <param name="verified">Does a verification belong to the program?</param>
internal sealed class KillSweep(KillStage stage, string[] killed, string[] again, string[] diff, Action prepare, bool verified)
{
    /// <summary>Kills before each call of a sample that is spread over all and has the last one; before every call, or every n-th from
    /// the k-th on, when MESHL4_KILL_SWEEP says "all" or "k/n". Calls are those that <see cref="KillStage.Count"/> lists. Both of what may follow are tried, in turn: another run reaches what was
    /// wanted, and cleanup, after it or at once, leaves nothing.</summary>
    /// <returns>How many of how many calls.</returns>
    public string Run(int sample)
    {
        string empty = stage.State();
        prepare();
        string before = stage.Table();
        IReadOnlyList<KillPoint> points = stage.Count(killed, verified);
        string after = stage.Table();
        stage.RunAlone("cleanup");
        points.Count.ShouldBeGreaterThan(sample * 2);
        KillPoint[] chosen = Choose(points, sample);
        int ended = 0;
        for (int i = 0; i < chosen.Length; i++)
        {
            prepare();
            ended += stage.Kill(chosen[i], killed) ? 1 : 0;
            stage.Table().ShouldBeOneOf([before, after], $"{chosen[i]}");
            if (i % 2 == 0)
            {
                Again();
            }

            stage.RunAlone("cleanup");
            stage.State().ShouldBe(empty, $"{chosen[i]}{(i % 2 == 0 ? $", {again[0]}" : "")}, cleanup");
        }

        ended.ShouldBeGreaterThanOrEqualTo(chosen.Length - Math.Max(1, chosen.Length / 10));
        return $"killed at {ended} of {chosen.Length} system calls, of {points.Count} in all";
    }

    private static KillPoint[] Choose(IReadOnlyList<KillPoint> points, int sample)
    {
        string asked = Environment.GetEnvironmentVariable("MESHL4_KILL_SWEEP") is { Length: > 0 } text ? text : $"{sample}";
        int[] part = asked == "all" ? [1, 1] : [.. asked.Split('/').Select(w => int.Parse(w, CultureInfo.InvariantCulture))];
        return part is [int first, int step]
            ? [.. Enumerable.Range(0, points.Count).Where(i => i % step == first - 1).Select(i => points[i])]
            : [.. Enumerable.Range(1, sample).Select(i => points[(i * points.Count / sample) - 1]).Distinct()];
    }

    private void Again()
    {
        if (verified)
        {
            stage.RunAlone(again);
        }
        else
        {
            stage.Run(again);
        }

        stage.Run(diff);
    }
}

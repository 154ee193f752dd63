using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

/// <summary>What a control plane that was gone meets from its fleet, by a clock of the test: a stream of attempts, never a herd.</summary>
public sealed class RetryDelayTests
{
    private const int Proxies = 2000;
    private static readonly TimeSpan Away = TimeSpan.FromHours(3);

    [Fact]
    public void Fleet_WithoutAControlPlaneForHours_ComesBackSpreadOut()
    {
        // All lose it at the same moment.
        List<double>[] attempts = [.. Enumerable.Range(0, Proxies).Select(seed => Attempts(new Random(seed), Away.TotalSeconds))];
        double mean = Proxies / (RetryDelay.Longest.TotalSeconds / 2);
        int[] bySecond = new int[(int)Away.TotalSeconds + 1];
        foreach (double at in attempts.SelectMany(static one => one))
        {
            bySecond[(int)at]++;
        }

        // After the waits have grown no second has much more than its share.
        bySecond[120..^1].Max().ShouldBeLessThan((int)(mean * 1.8));
        bySecond[120..^1].Min().ShouldBeGreaterThan((int)(mean * 0.4), "attempts bunch elsewhere");

        // It is back: everybody has connected within the longest wait, and no second took more than a small part of the fleet.
        double[] returns = [.. Enumerable.Range(0, Proxies).Select(seed => AttemptAfter(new Random(seed), Away.TotalSeconds) - Away.TotalSeconds)];
        returns.Max().ShouldBeLessThan(RetryDelay.Longest.TotalSeconds);
        returns.GroupBy(static at => (int)at).Max(static second => second.Count()).ShouldBeLessThan(Proxies / 8);
    }

    [Fact]
    public void Fleet_AtTheFirstFailure_IsSpreadAlready()
    {
        double[] firsts = [.. Enumerable.Range(0, Proxies).Select(static seed => new RetryDelay(new Random(seed).NextDouble).Next().TotalMilliseconds)];
        firsts.ShouldAllBe(static wait => wait >= 0 && wait < RetryDelay.First.TotalMilliseconds);
        firsts.GroupBy(static wait => (int)(wait / 20)).Count().ShouldBe(10);
        firsts.GroupBy(static wait => (int)(wait / 20)).Max(static part => part.Count()).ShouldBeLessThan(Proxies / 10 * 2);
    }

    [Fact]
    public void Server_ThatAnswersAndFailsAtOnce_IsNotAskedWithoutAWait()
    {
        var random = new Random(1);
        var delay = new RetryDelay(random.NextDouble);
        double waited = 0;
        for (int i = 0; i < 1000; i++)
        {
            waited += delay.Next().TotalSeconds;
            delay.Reset();
        }

        waited.ShouldBeInRange(80, 120, "a thousand streams of one answer each, at a tenth of a second in the middle");
    }

    private static List<double> Attempts(Random random, double until)
    {
        var delay = new RetryDelay(random.NextDouble);
        List<double> attempts = [];
        for (double at = delay.Next().TotalSeconds; at < until; at += delay.Next().TotalSeconds)
        {
            attempts.Add(at);
        }

        return attempts;
    }

    private static double AttemptAfter(Random random, double moment)
    {
        var delay = new RetryDelay(random.NextDouble);
        double at = 0;
        while (at < moment)
        {
            at += delay.Next().TotalSeconds;
        }

        return at;
    }
}

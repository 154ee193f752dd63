using MeshL4.Load.Cases;
using MeshL4.Load.Measuring;

namespace MeshL4.Load.Reporting;

/// <summary>How a bar came out.</summary>
internal enum Outcome
{
    /// <summary>The subject of the bar was not measured in this run.</summary>
    NotMeasured,

    /// <summary>The figure reaches the limit.</summary>
    Met,

    /// <summary>It does not, but by less than haproxy differs from itself in the same rounds.</summary>
    WithinNoise,

    /// <summary>It does not, by more than the noise.</summary>
    Missed,

    /// <summary>haproxy differs from itself so much that the figure says nothing either way: run again on a quiet machine.</summary>
    TooNoisy,
}

/// <summary>One bar, judged.</summary>
/// <param name="Bar">The demand.</param>
/// <param name="Value">The median ratio or figure; NaN when not measured.</param>
/// <param name="Noise">Relative noise of the case for this metric, 0 without a pair.</param>
/// <param name="Outcome">The result.</param>
internal sealed record Verdict(Bar Bar, double Value, double Noise, Outcome Outcome)
{
    /// <summary>Noise above this excuses nothing and proves nothing.</summary>
    private const double NoiseTooGreat = 0.15;

    /// <summary>Judges one bar by the figures of its case.</summary>
    public static Verdict Of(CaseResult result, Bar bar)
    {
        var series = result.Find(bar.Metric);
        var noise = NoiseOf(result, bar.Metric);
        if (series?.Of(bar.Subject) is not { } values || (bar.Reference is not null && series.Of(bar.Reference) is null))
        {
            return new Verdict(bar, double.NaN, noise, Outcome.NotMeasured);
        }

        var value = bar.Reference is null
            ? Statistics.Median(values)
            : Statistics.Median(Statistics.PairwiseRatios(values, series.Of(bar.Reference)!));
        return new Verdict(bar, value, noise, Judge(bar, value, noise));
    }

    /// <summary>How far the same program run twice differs from itself in a metric; 0 when the case has no such pair.</summary>
    public static double NoiseOf(CaseResult result, string metric)
    {
        if (result.Case.NoisePair is not { } pair || result.Find(metric) is not { } series)
        {
            return 0;
        }

        return series.Of(pair.Again) is { } again && series.Of(pair.Subject) is { } first
            ? Statistics.Noise(Statistics.PairwiseRatios(again, first))
            : 0;
    }

    private static Outcome Judge(Bar bar, double value, double noise)
    {
        var lacking = bar.AtLeast ? bar.Limit - value : value - bar.Limit;
        if (noise > NoiseTooGreat && Math.Abs(lacking) <= bar.Limit * noise)
        {
            return Outcome.TooNoisy;
        }

        return lacking <= 0 ? Outcome.Met : lacking <= bar.Limit * noise ? Outcome.WithinNoise : Outcome.Missed;
    }
}

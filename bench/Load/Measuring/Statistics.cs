namespace MeshL4.Load.Measuring;

/// <summary>The few figures a series of rounds is reduced to.</summary>
internal static class Statistics
{
    /// <summary>The middle value; the mean of the two middle ones when the count is even.</summary>
    public static double Median(IReadOnlyCollection<double> values) => Quantile(values, 0.5);

    /// <summary>The value below which the share <paramref name="q"/> (0 to 1) lies, interpolated linearly between neighbours.</summary>
    public static double Quantile(IReadOnlyCollection<double> values, double q)
    {
        if (values.Count == 0)
        {
            throw new ArgumentException("no values", nameof(values));
        }

        var sorted = values.Order().ToArray();
        var position = q * (sorted.Length - 1);
        var below = (int)Math.Floor(position);
        var above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (position - below));
    }

    /// <summary>
    /// The quotient per round of two series measured in the same rounds, which cancels what the machine did to both.
    /// </summary>
    public static double[] PairwiseRatios(IReadOnlyList<double> values, IReadOnlyList<double> reference)
    {
        if (values.Count != reference.Count)
        {
            throw new ArgumentException($"{values.Count} rounds cannot be paired with {reference.Count}", nameof(reference));
        }

        return values.Zip(reference, (v, r) => v / r).ToArray();
    }

    /// <summary>
    /// How far a subject may appear to differ from itself: the larger of the median's distance from 1 and half the range
    /// between the quartiles of its ratios.
    /// </summary>
    public static double Noise(IReadOnlyCollection<double> selfRatios) => Math.Max(
        Math.Abs(Median(selfRatios) - 1),
        (Quantile(selfRatios, 0.75) - Quantile(selfRatios, 0.25)) / 2);

    /// <summary>The value below which a part of the sorted values lies: 0.99 for the 99th percentile.</summary>
    public static double Percentile(IReadOnlyList<double> sorted, double part) => sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * part))];
}

using MeshL4.Load.Measuring;
using Shouldly;
using Xunit;

namespace MeshL4.Load.Tests;

public class StatisticsTests
{
    [Theory]
    [InlineData(new[] { 3.0 }, 3.0)]
    [InlineData(new[] { 9.0, 1.0, 2.0 }, 2.0)]
    [InlineData(new[] { 4.0, 1.0, 2.0, 100.0 }, 3.0)]
    public void Median_UnsortedValues_TheMiddle(double[] values, double expected) => Statistics.Median(values).ShouldBe(expected);

    [Fact]
    public void Quantile_BetweenTwoValues_Interpolated() =>
        Statistics.Quantile([10, 20, 30, 40, 50], 0.25).ShouldBe(20);

    [Fact]
    public void Median_NoValues_Refused() => Should.Throw<ArgumentException>(() => Statistics.Median([]));

    [Fact]
    public void PairwiseRatios_SameRounds_QuotientPerRound() =>
        Statistics.PairwiseRatios([10, 30], [20, 20]).ShouldBe([0.5, 1.5]);

    [Fact]
    public void PairwiseRatios_RoundMissing_Refused() =>
        Should.Throw<ArgumentException>(() => Statistics.PairwiseRatios([1], [1, 2]));

    [Theory]
    [InlineData(new[] { 1.2, 1.2, 1.2 }, 0.2)]
    [InlineData(new[] { 0.8, 0.9, 1.0, 1.1, 1.2 }, 0.1)]
    public void Noise_SelfRatios_LargerOfBiasAndHalfTheQuartileRange(double[] ratios, double expected) =>
        Statistics.Noise(ratios).ShouldBe(expected, 1e-9);
}

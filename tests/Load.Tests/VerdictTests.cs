using MeshL4.Load.Cases;
using MeshL4.Load.Reporting;
using MeshL4.Load.Subjects;
using Shouldly;
using Xunit;

namespace MeshL4.Load.Tests;

public class VerdictTests
{
    private static readonly Bar AtLeastHaproxy = new("requests", SubjectNames.Mesh, SubjectNames.Haproxy, AtLeast: true, 1.0);

    [Theory]
    [InlineData(101, 100, Outcome.Met)]
    [InlineData(97, 100, Outcome.Missed)]
    [InlineData(97, 104, Outcome.WithinNoise)]
    [InlineData(90, 130, Outcome.TooNoisy)]
    [InlineData(50, 130, Outcome.Missed)]
    internal void Of_RatioBar_JudgedByTheNoiseOfTheRun(double mesh, double haproxyAgain, Outcome expected)
    {
        var result = new CaseResult(new RedisRelayCase(1));
        for (var round = 0; round < 4; round++)
        {
            result.Add("requests", "req/s", SubjectNames.Haproxy, 100);
            result.Add("requests", "req/s", SubjectNames.Mesh, mesh);
            result.Add("requests", "req/s", SubjectNames.HaproxyAgain, haproxyAgain);
        }

        Verdict.Of(result, AtLeastHaproxy).Outcome.ShouldBe(expected);
    }

    [Fact]
    public void Of_SubjectNotThere_NotMeasured()
    {
        var result = new CaseResult(new RedisRelayCase(1));
        result.Add("requests", "req/s", SubjectNames.Haproxy, 100);

        Verdict.Of(result, AtLeastHaproxy).Outcome.ShouldBe(Outcome.NotMeasured);
    }

    [Theory]
    [InlineData(249, Outcome.Met)]
    [InlineData(251, Outcome.Missed)]
    internal void Of_AbsoluteBar_MedianAgainstTheLimit(double milliseconds, Outcome expected)
    {
        var result = new CaseResult(new StartCase());
        result.Add("exec to ready", "ms", SubjectNames.Mesh, milliseconds);

        Verdict.Of(result, result.Case.Bars[0]).Outcome.ShouldBe(expected);
    }
}

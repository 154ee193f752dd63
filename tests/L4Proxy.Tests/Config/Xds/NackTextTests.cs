using System.Text;
using MeshL4.L4Proxy.Config.Validating;
using MeshL4.L4Proxy.Config.Xds;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config.Xds;

public sealed class NackTextTests
{
    [Fact]
    public void Errors_StandOneALine_WithoutWarningsAndOrigin()
    {
        ConfigIssue[] issues =
        [
            new(IssueSeverity.Error, "lb_policy", "is wrong", null, "Cluster/a", "ads"),
            new(IssueSeverity.Warning, "x", "is odd", null, "Cluster/a", "ads"),
            new(IssueSeverity.Error, "", "stands twice", null, "Cluster/b", "ads"),
        ];
        NackText.Of(issues, 2).ShouldBe("Cluster/a: lb_policy: is wrong\nCluster/b: stands twice");
        NackText.Of([issues[1]], 0).ShouldBeNull();
    }

    [Fact]
    public void ManyErrors_StayBelowFourKilobytes_AndTheRestIsCounted()
    {
        ConfigIssue[] issues = [.. Enumerable.Range(0, 1000).Select(i => new ConfigIssue(IssueSeverity.Error, "feld_ä", $"grund {i}", null, $"Cluster/ü{i}"))];
        string text = NackText.Of(issues, 5000)!;
        Encoding.UTF8.GetByteCount(text).ShouldBeInRange(3900, NackText.MaxBytes);
        string[] lines = text.Split('\n');
        lines[^1].ShouldBe($"and {5000 - (lines.Length - 1)} more errors");
    }

    /// <summary>A parser repeats what it does not like, and a name may be as long.</summary>
    [Fact]
    public void LongReasonsAndNames_AreCut_SoThatTheOthersAreTold()
    {
        ConfigIssue[] issues =
        [
            new(IssueSeverity.Error, "matcher.regex", "bad: " + new string('ä', 4000), null, "Listener/l", "ads"),
            new(IssueSeverity.Error, "field", "has a long name", null, "Cluster/" + new string('n', 5000), "ads"),
            .. Enumerable.Range(0, 60).Select(i => new ConfigIssue(IssueSeverity.Error, "lb_policy", "is wrong", null, $"Cluster/c{i}")),
        ];
        string text = NackText.Of(issues, issues.Length)!;
        Encoding.UTF8.GetByteCount(text).ShouldBeLessThanOrEqualTo(NackText.MaxBytes);
        string[] lines = text.Split('\n');
        lines[0].ShouldStartWith("Listener/l: matcher.regex: bad: ää");
        lines[0].ShouldEndWith("ä...");
        lines[1].ShouldEndWith("...: field: has a long name");
        lines[2..].ShouldBe(issues[2..].Select(static issue => issue.ToString()));
    }

    [Fact]
    public void OneLongReason_IsWhole_WhereItFits()
    {
        var issue = new ConfigIssue(IssueSeverity.Error, "f", new string('x', 3000), null, "Cluster/a");
        NackText.Of([issue], 1).ShouldBe(issue.ToString());
        NackText.Of([issue with { Message = new string('x', 5000) }], 1)!.ShouldStartWith("Cluster/a: f: xx");
    }
}

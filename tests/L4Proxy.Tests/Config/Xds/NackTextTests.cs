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
}

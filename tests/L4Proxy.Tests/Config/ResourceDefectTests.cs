using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Protos.Envoy.Config.Cluster.V3;
using MeshL4.L4Proxy.Config.Snapshots;
using MeshL4.L4Proxy.Config.Validating;
using Shouldly;
using Xunit;

namespace MeshL4.L4Proxy.Tests.Config;

/// <summary>A resource at which our own code fails is refused like a wrong one.</summary>
public sealed class ResourceDefectTests
{
    private readonly ResourceTable<string> _table = new(
        TypeUrls.Cluster, static message => ((Cluster)message).Name,
        static (message, _) => ((Cluster)message).AltStatName is "poison" ? throw new InvalidOperationException("a defect") : ((Cluster)message).AltStatName, true);

    [Fact]
    public void Apply_ResourceThatMeetsADefect_IsRefusedWithIt_KeepsItsLastGoodVersion_AndTheOthersServe()
    {
        Apply(out _, ("a", "1"), ("b", "1"));
        AppliedUpdate applied = Apply(out IssueCollector issues, ("a", "poison"), ("b", "2"));
        issues.Issues.ShouldHaveSingleItem().ToString().ShouldContain("Cluster/a: internal error: InvalidOperationException: a defect");
        applied.Held.Select(static one => one.Name).ShouldBe(["b"]);
        applied.Refused.Select(static one => one.Name).ShouldBe(["a"]);
        _table.Held.ToDictionary(static one => one.Key, static one => one.Value.Compiled).ShouldBe(new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" }, ignoreOrder: true);
    }

    private AppliedUpdate Apply(out IssueCollector issues, params (string Name, string Content)[] clusters)
    {
        issues = new IssueCollector();
        return _table.Apply(new ResourceUpdate(
            TypeUrls.Cluster, "1", "ads", OfferedResource.Of(clusters.Select(static one => new Cluster { Name = one.Name, AltStatName = one.Content })), issues));
    }
}

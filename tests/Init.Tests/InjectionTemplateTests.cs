using System.Text.RegularExpressions;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>deploy/istio-injection.yaml: what a pod's author writes goes to a program that runs as root.</summary>
public partial class InjectionTemplateTests
{
    private static readonly string[] Arguments = [.. File.ReadLines(Template()).Select(l => l.Trim())
        .SkipWhile(l => l != "args:").TakeWhile(l => l != "securityContext:").Where(l => l.StartsWith("- ", StringComparison.Ordinal))];

    [Fact]
    public void Arguments_WithAPartOfThePodsAuthor_AreQuotedAnnotations()
    {
        string[] written = [.. Arguments.Where(a => a.Contains("{{", StringComparison.Ordinal))];
        string[] byTheCluster = ["- --proxy-uid={{ .ProxyUID | default 1337 }}", "- --proxy-gid={{ .ProxyGID | default 1337 }}"];
        written.Length.ShouldBeGreaterThan(8);
        written.ShouldAllBe(a => Quoted().IsMatch(a) || byTheCluster.Contains(a));
    }

    // The template's branches are told by their lines: the newer name in "with", the older in "else".
    [Fact]
    public void Arguments_VirtualInterfaces_AreGivenOnceByEitherName()
    {
        string[] lines = [.. File.ReadLines(Template()).Select(l => l.Trim())];
        int at = Array.IndexOf(lines, "{{ with annotation .ObjectMeta `istio.io/reroute-virtual-interfaces` `` }}");
        at.ShouldBeGreaterThan(0);
        lines[at + 1].ShouldContain("--from-annotations=istio.io/reroute-virtual-interfaces=%s\" . |");
        lines[at + 2].ShouldBe("{{ else }}");
        lines[at + 3].ShouldContain("--from-annotations=traffic.sidecar.istio.io/kubevirtInterfaces=%s");
        lines[at + 4].ShouldBe("{{ end }}");
        lines.Count(l => l.StartsWith("- ", StringComparison.Ordinal) && l.Contains("nterfaces=%s", StringComparison.Ordinal) && !l.Contains("exclude", StringComparison.Ordinal)).ShouldBe(2);
    }

    [Theory]
    [InlineData("kubevirtInterfaces")]
    [InlineData("reroute-virtual-interfaces")]
    public void Arguments_FilledIn_AreUnderstood(string branchNotTaken)
    {
        string[] flags = [.. Arguments.Where(a => !a.Contains("{{", StringComparison.Ordinal)).Select(a => a[2..])];
        string[] annotations = [.. Arguments.Select(a => Quoted().Match(a)).Where(m => m.Success).Select(m => m.Groups[1].Value)
            .DistinctBy(KeyOf).Where(f => !KeyOf(f).EndsWith(branchNotTaken, StringComparison.Ordinal)).Select(Filled)];
        (int code, string output) = Run([flags[0], "--dry-run", .. flags[1..], .. annotations]);
        code.ShouldBe(0, output);
        output.ShouldContain("to the proxy at 15001");
        output.ShouldContain("7-8, 15020-15021, 15090");
    }

    [Fact]
    public void Arguments_AnnotationWithAnAtSign_ReadsNoFile()
    {
        (int code, string output) = Run(["plan", "--from-annotations=traffic.sidecar.istio.io/excludeOutboundIPRanges=@/etc/passwd"]);
        code.ShouldBe(2);
        output.ShouldNotContain("root:");
    }

    private static string KeyOf(string format) => format.Split('=')[1];

    private static string Filled(string format) => KeyOf(format) switch
    {
        "sidecar.istio.io/interceptionMode" => format.Replace("%s", "REDIRECT", StringComparison.Ordinal),
        string key when key.EndsWith("excludeInboundPorts", StringComparison.Ordinal) => format.Replace("%s", "7,8", StringComparison.Ordinal),
        string key when key.Contains("/include", StringComparison.Ordinal) && !key.EndsWith("OutboundPorts", StringComparison.Ordinal) =>
            format.Replace("%s", "*", StringComparison.Ordinal),
        _ => format.Replace("%s", "", StringComparison.Ordinal),
    };

    private static (int Code, string Output) Run(string[] arguments)
    {
        using var output = new StringWriter();
        int code = Program.Run(arguments, _ => null, output, output, _ => { });
        return (code, output.ToString());
    }

    private static string Template()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MeshL4.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("MeshL4.sln is in no folder above the tests");
        }

        return Path.Combine(folder.FullName, "deploy", "istio-injection.yaml");
    }

    [GeneratedRegex("^- \\{\\{ printf \"(--from-annotations=[^\"]*)\" .* \\| quote \\}\\}$")]
    private static partial Regex Quoted();
}

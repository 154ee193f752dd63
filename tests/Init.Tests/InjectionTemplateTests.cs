using System.Text.RegularExpressions;
using MeshL4.Init.Tests.Injection;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests;

/// <summary>deploy/istio-injection.yaml: what a pod's author writes goes to a program that runs as root. What is rendered of it is in
/// <see cref="RenderedTemplateTests"/>.</summary>
public partial class InjectionTemplateTests
{
    private static readonly string[] Arguments = [.. File.ReadLines(RenderedPod.Template).Select(l => l.Trim())
        .SkipWhile(l => l != "args:").TakeWhile(l => l != "securityContext:").Where(l => l.StartsWith("- ", StringComparison.Ordinal))];

    [Fact]
    public void Arguments_WithAPartOfThePodsAuthor_AreQuotedAnnotations()
    {
        string[] written = [.. Arguments.Where(a => a.Contains("{{", StringComparison.Ordinal))];
        string[] byTheCluster =
        [
            "- --proxy-uid={{ .ProxyUID | default 1337 }}", "- --proxy-gid={{ .ProxyGID | default 1337 }}",
            "- --envoy-port={{ .MeshConfig.ProxyListenPort | default 15001 }}", "- --inbound-capture-port={{ .MeshConfig.ProxyInboundListenPort | default 15006 }}",
        ];
        written.Length.ShouldBeGreaterThan(8);
        written.ShouldAllBe(a => Quoted().IsMatch(a) || byTheCluster.Contains(a));
    }

    [Fact]
    public void Arguments_AnnotationWithAnAtSign_ReadsNoFile()
    {
        (int code, string output) = Run(["plan", "--from-annotations=traffic.sidecar.istio.io/excludeOutboundIPRanges=@/etc/passwd"]);
        code.ShouldBe(2);
        output.ShouldNotContain("root:");
    }

    private static (int Code, string Output) Run(string[] arguments)
    {
        using var output = new StringWriter();
        int code = Program.Run(arguments, _ => null, output, output, _ => { });
        return (code, output.ToString());
    }

    [GeneratedRegex("^- \\{\\{ printf \"(--from-annotations=[^\"]*)\" .* \\| quote \\}\\}$")]
    private static partial Regex Quoted();
}

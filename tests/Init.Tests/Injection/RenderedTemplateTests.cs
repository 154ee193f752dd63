using System.Diagnostics;
using System.Security.Cryptography;
using Shouldly;
using Xunit;

namespace MeshL4.Init.Tests.Injection;

/// <summary>
/// deploy/istio-injection.yaml as Go renders it for every pod of pods.json, and what meshl4-init makes of that. rendered.yaml is committed,
/// so the tests run without Go; render.go says how it is written, or a run with MESHL4_GO and MESHL4_WRITE_GOLDEN=1.
/// </summary>
public class RenderedTemplateTests
{
    private const string Istio = "traffic.sidecar.istio.io/";
    private const string OwnPorts = "tcp dport { 15020-15021, 15090 }: left alone (inbound ports";
    private const string WithoutStatus = "tcp dport { 15021, 15090 }: left alone (inbound ports";

    // For each pod what the plan must say, or, of those that are refused, the error.
    private static readonly Dictionary<string, string[]> Accepted = new()
    {
        ["plain"] = [OwnPorts, "all other inbound TCP", "all other outbound TCP", "meta skuid 1337"],
        ["tproxy by annotation"] = [OwnPorts, "mangle table", "ct direction original: to the proxy at 15006"],
        ["tproxy by mesh"] = [OwnPorts, "mangle table", "ct direction original: to the proxy at 15006"],
        ["none by mesh and redirect by annotation"] = [OwnPorts, "meta l4proto tcp: to the proxy at 15006"],
        ["lists"] = ["tcp dport { 80, 443 }: to the proxy at 15006", "{ 3306, 6379 }: left alone", "tcp dport 9042: to the proxy at 15001",
            "ip daddr 10.0.0.0/8 meta l4proto tcp: to the proxy at 15001", "ip6 daddr fd00::/8 meta l4proto tcp: to the proxy at 15001",
            "ip daddr 10.1.2.3: left alone", "oifname \"net1\""],
        ["empty annotations"] = ["otherwise: left alone"],
        ["kubevirt old"] = ["iifname \"tap0\" meta l4proto tcp: to the proxy at 15001"],
        ["kubevirt new"] = ["iifname \"tap0\" meta l4proto tcp: to the proxy at 15001", "iifname \"tap1\" meta l4proto tcp: to the proxy at 15001"],
        ["kubevirt both"] = ["iifname \"tap0\" meta l4proto tcp: to the proxy at 15001"],
        ["status port 0"] = [WithoutStatus],
        ["status port 0 and excluded"] = ["{ 7000, 15021, 15090 }: left alone"],
        ["status port empty"] = [WithoutStatus],
        ["status port other"] = ["{ 15021, 15090, 15999 }: left alone"],
        ["excludes the status port itself"] = ["{ 8080, 15020-15021, 15090 }: left alone"],
        ["spaces"] = ["{ 3306, 6379 }: left alone", "ip daddr 10.1.2.3-10.1.2.4: left alone"],
        ["openshift uid"] = ["meta skuid 1000680001", "meta skgid 1000680001"],
        ["ports of the mesh"] = ["all other inbound TCP", "to the proxy at 16006", "to the proxy at 16001"],
        ["chart without the ports"] = [OwnPorts, "all other outbound TCP"],
    };

    private static readonly Dictionary<string, string> Refused = new()
    {
        ["trailing comma"] = $"annotation {Istio}excludeOutboundIPRanges ''",
        ["file"] = $"annotation {Istio}excludeOutboundIPRanges '@/etc/passwd'",
        ["quote and newline"] = $"annotation {Istio}excludeOutboundIPRanges '10.0.0.0/8\"\n- --cleanup-only\n- \"'",
        ["yaml"] = $"annotation {Istio}excludeOutboundPorts '80 # comment'",
        ["template in a value"] = $"annotation {Istio}excludeInterfaces '{{{{ .Values }}}}'",
        ["backslash unicode control"] = $"annotation {Istio}excludeInterfaces 'a\\\"b\tč😀\u0001'",
        ["another flag"] = $"annotation {Istio}excludeInterfaces '--cleanup-only'",
        ["interception mode with a tail"] = "annotation sidecar.istio.io/interceptionMode 'REDIRECT\n- --cleanup-only'",
    };

    public static TheoryData<string> Names => [.. RenderedPod.All.Select(p => p.Name)];

    [Fact]
    public void Rendered_IsOfTheseFiles()
    {
        string head = $"# Rendered by render.go, template {Hash(RenderedPod.Template)}, pods {Hash(RenderedPod.Pods)}";
        File.ReadLines(RenderedPod.Rendered).First().ShouldBe(head, $"the template or the pods have changed: set {FactWithGoAttribute.Variable} and MESHL4_WRITE_GOLDEN=1");
        RenderedPod.All.Select(p => p.Name).ShouldBe(
            File.ReadLines(RenderedPod.Rendered).Where(l => l.StartsWith("# pod: ", StringComparison.Ordinal)).Select(l => l[7..]));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Rendered_Pod_IsUnderstoodOrRefusedByName(string name)
    {
        RenderedPod pod = RenderedPod.All.Single(p => p.Name == name);
        if (name == "none by annotation")
        {
            pod.Arguments.ShouldBeEmpty();
            return;
        }

        (int code, string output) = Run([.. pod.Arguments, "--dry-run", "--ipv6", "on"]);
        code.ShouldBe(Refused.ContainsKey(name) ? 2 : 0, output);
        foreach (string text in Refused.TryGetValue(name, out string? error) ? [error] : Accepted[name])
        {
            output.ShouldContain(text);
        }

        if (name == "empty annotations")
        {
            output.ShouldNotContain("all other");
        }

        output.ShouldNotContain("tap9");
    }

    // Whatever an author writes: it is the tail of an argument that begins with its own annotation, and as many as ever are there.
    [Fact]
    public void Rendered_Annotations_AreOneArgumentEach()
    {
        IReadOnlyList<string> plain = RenderedPod.All[0].Arguments;
        foreach (RenderedPod pod in RenderedPod.All.Where(p => p.Arguments.Count > 0))
        {
            pod.Arguments.Count.ShouldBe(plain.Count, pod.Name);
            pod.Arguments.Take(3).ShouldBe(pod.Name == "ports of the mesh" ? ["apply", "--envoy-port=16001", "--inbound-capture-port=16006"] : plain.Take(3));
            pod.Arguments.Skip(5).ShouldAllBe(a => a.StartsWith("--from-annotations=", StringComparison.Ordinal));
            foreach ((string key, string value) in pod.Annotations.Where(a => !IsChanged(pod, a.Key)))
            {
                pod.Arguments.ShouldContain($"--from-annotations={key}={value}", pod.Name);
            }
        }
    }

    [FactWithGo]
    public void Rendered_AnewWithGo_IsTheSame()
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable(FactWithGoAttribute.Variable)!, ["run", RenderedPod.Program, RenderedPod.Template, RenderedPod.Pods])
        {
            RedirectStandardOutput = true,
            // Nothing but Go's own library: no module is looked for.
            Environment = { ["GO111MODULE"] = "off" },
        };
        using Process go = Process.Start(start)!;
        string rendered = go.StandardOutput.ReadToEnd();
        go.WaitForExit();
        go.ExitCode.ShouldBe(0);
        if (Environment.GetEnvironmentVariable("MESHL4_WRITE_GOLDEN") == "1")
        {
            File.WriteAllText(RenderedPod.Rendered, rendered);
        }

        rendered.ShouldBe(File.ReadAllText(RenderedPod.Rendered));
    }

    // The status port is added to the one; of two names of one thing the older is not passed.
    private static bool IsChanged(RenderedPod pod, string key) => key == $"{Istio}excludeInboundPorts"
        || (key == $"{Istio}kubevirtInterfaces" && pod.Annotations.ContainsKey("istio.io/reroute-virtual-interfaces"));

    private static string Hash(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));

    private static (int Code, string Output) Run(string[] arguments)
    {
        using var output = new StringWriter();
        int code = Program.Run(arguments, _ => null, output, output, _ => { });
        return (code, output.ToString());
    }
}

using MeshL4.Init.Tests.Injection;
using Shouldly;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace MeshL4.Init.Tests;

/// <summary>deploy/pod.yaml: what its init container is given is understood, captures, and may be verified.</summary>
public class ExamplePodTests
{
    private static readonly YamlNode Spec = Read()["spec"];
    private static readonly YamlNode Init = ((YamlSequenceNode)Spec["initContainers"]).Single();

    [Fact]
    public void Arguments_OfTheInitContainer_CaptureBothDirections()
    {
        using StringWriter output = new(), error = new();
        int code = Program.Run([.. Texts(Init["args"]), "--dry-run"], _ => null, output, error, _ => { });
        code.ShouldBe(0, error.ToString());
        foreach (string part in (string[])["all other inbound TCP", "all other outbound TCP", "{ 15021, 15090 }: left alone", "meta skuid 1337", "meta skgid 1337"])
        {
            output.ToString().ShouldContain(part);
        }
    }

    [Fact]
    public void SecurityContext_OfTheInitContainer_LetsItWriteAndShowRulesAndNoMore()
    {
        YamlNode context = Init["securityContext"];
        Texts(context["capabilities"]["add"]).ShouldBe(["NET_ADMIN", "NET_RAW", "SETUID", "SETGID"], ignoreOrder: true);
        Texts(context["capabilities"]["drop"]).ShouldBe(["ALL"]);
        ((string?)context["readOnlyRootFilesystem"], (string?)context["runAsUser"], (string?)context["privileged"]).ShouldBe(("true", "0", "false"));
    }

    [Fact]
    public void Sidecar_OfTheExample_IsWhomTheRulesLeaveAlone()
    {
        YamlNode context = ((YamlSequenceNode)Spec["containers"]).Single(c => (string?)c["name"] == "meshl4-proxy")["securityContext"];
        Texts(Init["args"]).ShouldContain($"--proxy-uid={(string?)context["runAsUser"]}");
        Texts(Init["args"]).ShouldContain($"--proxy-gid={(string?)context["runAsGroup"]}");
    }

    private static string[] Texts(YamlNode list) => [.. ((YamlSequenceNode)list).Select(n => ((YamlScalarNode)n).Value!)];

    private static YamlNode Read()
    {
        using var reader = new StreamReader(Path.Combine(Path.GetDirectoryName(RenderedPod.Template)!, "pod.yaml"));
        var documents = new YamlStream();
        documents.Load(reader);
        return documents.Documents.Single().RootNode;
    }
}

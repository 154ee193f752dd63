using System.Text.Json;
using YamlDotNet.RepresentationModel;

namespace MeshL4.Init.Tests.Injection;

/// <summary>A pod of pods.json, with what Go's template engine made of deploy/istio-injection.yaml for it.</summary>
/// <param name="Name">Says what is special about it.</param>
/// <param name="Annotations">The pod's.</param>
/// <param name="Arguments">Of the init container; none when nothing was rendered.</param>
internal sealed record RenderedPod(string Name, IReadOnlyDictionary<string, string> Annotations, IReadOnlyList<string> Arguments)
{
    /// <summary>The template, pods.json, render.go and rendered.yaml.</summary>
    public static string Template { get; } = Path.Combine(Root(), "deploy", "istio-injection.yaml");

    /// <inheritdoc cref="Template"/>
    public static string Pods { get; } = Beside("pods.json");

    /// <inheritdoc cref="Template"/>
    public static string Program { get; } = Beside("render.go");

    /// <inheritdoc cref="Template"/>
    public static string Rendered { get; } = Beside("rendered.yaml");

    /// <summary>All of them, in the order of the file.</summary>
    public static IReadOnlyList<RenderedPod> All { get; } = Read();

    private static List<RenderedPod> Read()
    {
        using var reader = new StringReader(File.ReadAllText(Rendered));
        var documents = new YamlStream();
        documents.Load(reader);
        using JsonDocument table = JsonDocument.Parse(File.ReadAllText(Pods));
        return [.. table.RootElement.GetProperty("pods").EnumerateArray().Zip(documents.Documents, (pod, document) => new RenderedPod(
            pod.GetProperty("name").GetString()!,
            pod.TryGetProperty("annotations", out JsonElement all) ? all.EnumerateObject().ToDictionary(a => a.Name, a => a.Value.GetString()!) : [],
            ArgumentsOf(document.RootNode)))];
    }

    // Strict: exactly one container, and nothing in its arguments but texts.
    private static List<string> ArgumentsOf(YamlNode root) => root is YamlScalarNode { Value: null or "" } ? []
        : [.. ((YamlSequenceNode)((YamlSequenceNode)root["spec"]["initContainers"]).Single()["args"]).Select(a => ((YamlScalarNode)a).Value!)];

    private static string Beside(string file) => Path.Combine(Root(), "tests", "Init.Tests", "Injection", file);

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "MeshL4.sln")))
        {
            folder = folder.Parent ?? throw new DirectoryNotFoundException("MeshL4.sln is in no folder above the tests");
        }

        return folder.FullName;
    }
}

using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace MeshL4.L4Proxy.Tests.Config.Examples;

/// <summary>Which files of a work tree are configurations of an Envoy, and what each becomes: a bootstrap, as it stands or made of what a
/// configuration dump holds.</summary>
internal static partial class ExampleFiles
{
    private static readonly string[] Endings = [".yaml", ".yml", ".json"];

    /// <summary>Where Envoy's example of files expects them in its container.</summary>
    private const string Container = "/var/lib/envoy/";

    /// <summary>Their paths below <paramref name="folder"/>, in order.</summary>
    public static IEnumerable<string> Under(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
        .Where(static file => Endings.Contains(Path.GetExtension(file)) && !file.Contains(".tmpl.", StringComparison.Ordinal) && !file.Contains(".template.", StringComparison.Ordinal))
        .Where(static file => Mark().IsMatch(File.ReadAllText(file)) && Kind(file) is not null)
        .Select(file => Path.GetRelativePath(folder, file).Replace('\\', '/'))
        .Order(StringComparer.Ordinal);

    /// <summary>Writes the bootstrap of an example, and what it needs, into <paramref name="into"/>; its path.</summary>
    public static string Lay(string file, ConfigFolder into)
    {
        string name = Path.GetExtension(file) == ".json" ? "bootstrap.json" : "bootstrap.yaml";
        string files = Path.Combine(Path.GetDirectoryName(file)!, "configs") + '/';
        into.Write(name, Kind(file) switch
        {
            "bootstrap" => File.ReadAllText(file).Replace(Container, files, StringComparison.Ordinal),
            "wrapped" => Tree(file)!["bootstrap"]!.ToJsonString(),
            _ => ConfigDump.Bootstrap((JsonObject)Tree(file)!, into),
        });
        return into.Path(name);
    }

    private static string? Kind(string file)
    {
        if (Tree(file) is not { } tree)
        {
            return YamlBootstrap().IsMatch(File.ReadAllText(file)) ? "bootstrap" : null;
        }

        return tree is not JsonObject root ? null
            : root.ContainsKey("static_resources") || root.ContainsKey("dynamic_resources") ? "bootstrap"
            : root["bootstrap"] is JsonObject ? "wrapped"
            : root["configs"] is JsonArray dumps && dumps.Any(ConfigDump.Holds) ? "dump" : null;
    }

    private static JsonNode? Tree(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(file));
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [GeneratedRegex("static_resources|dynamic_resources|\"configs\"|\"bootstrap\"")]
    private static partial Regex Mark();

    [GeneratedRegex("^(static_resources|dynamic_resources):", RegexOptions.Multiline)]
    private static partial Regex YamlBootstrap();
}

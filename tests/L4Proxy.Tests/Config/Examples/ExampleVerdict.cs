using MeshL4.L4Proxy.CommandLine;
using MeshL4.L4Proxy.Config;
using MeshL4.L4Proxy.Config.Validating;

namespace MeshL4.L4Proxy.Tests.Config.Examples;

/// <summary>What <c>validate</c> says of one example, without line numbers and without where it lay.</summary>
internal static class ExampleVerdict
{
    /// <summary>What is wrong with it: errors, or warnings.</summary>
    public static string[] Issues(string file, IssueSeverity severity)
    {
        using var folder = new ConfigFolder();
        string bootstrap = ExampleFiles.Lay(file, folder);
        return [.. ConfigPath.Validate(new ProxyArguments { ConfigPath = bootstrap }).Where(issue => issue.Severity == severity).Select(Shown)];

        string Shown(ConfigIssue issue) => (issue with { Origin = null, Line = null }).ToString()
            .Replace(folder.Path(""), "", StringComparison.Ordinal);
    }

    /// <summary>The verdicts on all examples of a folder, one paragraph each.</summary>
    public static string Table(string folder) => string.Concat(ExampleFiles.Under(folder).Select(path =>
    {
        string file = System.IO.Path.Combine(folder, path);
        string[] errors = Issues(file, IssueSeverity.Error);
        int warnings = Issues(file, IssueSeverity.Warning).Length;
        string verdict = errors.Length == 0 ? "accepted" : "refused";
        return $"{path}: {verdict}{(warnings == 0 ? "" : $", {warnings} warned of")}\n{string.Concat(errors.Select(error => $"    {error.Replace(folder, "", StringComparison.Ordinal)}\n"))}";
    }));
}

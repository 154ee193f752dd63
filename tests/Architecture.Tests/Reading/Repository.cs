using System.Runtime.CompilerServices;

namespace MeshL4.Architecture.Tests.Reading;

/// <summary>Where the working tree is, and which files in it are written by hand.</summary>
internal static class Repository
{
    public static readonly string Root = FindRoot();

    /// <summary>Hand-written C# files under <paramref name="folders"/>: build output, packages and generated files are left out.</summary>
    public static IReadOnlyList<string> SourceFiles(params string[] folders) =>
        [.. folders.SelectMany(folder => Files(folder, "*.cs"))
            .Where(static path => !path.EndsWith(".Generated.cs", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    /// <summary>Files under a folder of the repository, build output left out, as full paths.</summary>
    public static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.EnumerateFiles(Path.Combine(Root, folder), pattern, SearchOption.AllDirectories)
            .Where(static path => !path.Split(Path.DirectorySeparatorChar)
                .Any(static part => part is "bin" or "obj" or "node_modules" or "artifacts" or "TestResults" or ".git"));

    /// <summary>Path as a reader of a failure wants it: from the root on, with slashes.</summary>
    public static string Relative(string path) => Path.GetRelativePath(Root, path);

    private static string FindRoot([CallerFilePath] string here = "")
    {
        // The test's own output folder first; the path the compiler saw serves a run from elsewhere.
        foreach (string start in (string[])[AppContext.BaseDirectory, Path.GetDirectoryName(here) ?? ""])
        {
            for (DirectoryInfo? folder = new(start); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "MeshL4.sln")))
                {
                    return folder.FullName;
                }
            }
        }

        throw new DirectoryNotFoundException($"MeshL4.sln is in no folder above {AppContext.BaseDirectory}");
    }
}

namespace MeshL4.TestKit;

/// <summary>Where the programs under test are: the published file when it is newer than the sources, else the build beside the sources.</summary>
internal static class Executables
{
    public static string Proxy => Find("meshl4-proxy", "L4Proxy");

    public static string Init => Find("meshl4-init", "Init");

    /// <summary>The folder of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>A script of the tests that runs on packages from npm.</summary>
    /// <param name="path">Its path from the folder of the solution.</param>
    public static string Script(string path) => Directory.Exists(Path.Combine(Root, "tests/npm/node_modules"))
        ? Path.Combine(Root, path)
        : throw new DirectoryNotFoundException("tests/npm has no packages: run eng/setup.sh");

    private static string Find(string name, string project)
    {
        string published = Path.Combine(Root, "artifacts", name);
        string bin = Path.Combine(Root, "src", project, "bin");
        string[] builds = [.. new[] { "Release", "Debug" }.Select(c => Path.Combine(bin, c, "net10.0", name)).Where(File.Exists)];
        if (File.Exists(published) && File.GetLastWriteTimeUtc(published) > NewestSource())
        {
            return published;
        }

        return builds.MaxBy(static file => File.GetLastWriteTimeUtc(Path.ChangeExtension(file, null) + ".dll"))
            ?? throw new FileNotFoundException($"neither {published} (newer than src) nor a build in {bin}: run ./build.sh or build src/{project}");
    }

    private static DateTime NewestSource() => Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(static file => !file.Contains("/obj/", StringComparison.Ordinal))
        .Max(File.GetLastWriteTimeUtc);

    private static string FindRoot()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "MeshL4.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new DirectoryNotFoundException("MeshL4.sln is in no folder above the tests");
    }
}

namespace MeshL4.Load.Measuring;

/// <summary>A temporary directory for the configurations of one run; gone when disposed.</summary>
internal sealed class Workspace : IDisposable
{
    private int _files;

    public string Path { get; } = Directory.CreateTempSubdirectory("meshl4-bench-").FullName;

    /// <summary>Writes a configuration file and returns its path; names never collide.</summary>
    public string Write(string name, string text)
    {
        var file = System.IO.Path.Combine(Path, $"{Interlocked.Increment(ref _files)}-{name}");
        File.WriteAllText(file, text);
        return file;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

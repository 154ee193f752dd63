namespace MeshL4.EndToEnd.Tests.Behaviours.Stage;

/// <summary>A folder of its own under the temporary one that every user may read; gone when disposed.</summary>
internal sealed class TempFolder : IDisposable
{
    public TempFolder()
    {
        Path = Directory.CreateTempSubdirectory("meshl4-e2e-").FullName;
        Run.Must("chmod", "0755", Path);
    }

    public string Path { get; }

    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes beside and renames, so that nobody meets half a file.</summary>
    public string Write(string name, string text)
    {
        string target = At(name);
        File.WriteAllText(target + ".new", text);
        File.Move(target + ".new", target, overwrite: true);
        return target;
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
